from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import DataError, RecipeError, UnknownNameError
from medistill.imaging.reader import read_image
from medistill.imaging.volume import OpenVolume
from medistill.serve.inputs import find_inputs
from medistill.serve.predictor import Predictor
from medistill.serve.volumes import InputReader
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.serve.segmenting import segmenting_bundle


def save(path: Path, depth: int) -> Path:
    values = np.random.default_rng(depth).integers(0, 256, (6, 7, depth), np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path


def test_a_volume_is_opened_once_for_all_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, opened = [save(tmp_path / f"{n}.nii.gz", n) for n in (3, 4)], []
    begin = OpenVolume.__init__
    monkeypatch.setattr(
        OpenVolume, "__init__", lambda self, path: (opened.append(path), begin(self, path))[1]
    )
    with InputReader() as reader:
        for item in find_inputs(paths):
            shown = reader.picture(item, None).pixels
            assert np.array_equal(shown, read_image(item.path, frame=item.frame).pixels)
    assert opened == paths


def test_a_volume_that_cannot_be_unpacked_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.nii.gz", 5)
    items = list(find_inputs([path]))
    path.write_bytes(path.read_bytes()[:-20])
    with InputReader() as reader:
        with pytest.raises(DataError, match="cannot be read"):
            reader.picture(items[0], None)
        monkeypatch.setattr(OpenVolume, "__init__", lambda *_: pytest.fail("opened again"))
        with pytest.raises(DataError, match="cannot be read"):
            reader.picture(items[1], None)


def test_slices_without_a_gray_scale_are_problems_that_name_the_reason(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    predictor = Predictor(open_bundle(gray_bundle(tmp_path / "b")), threads=1)
    found = list(predictor.predict_files([tmp_path / "a.nii"]))
    assert [each.path.rpartition("#")[2] for each in found] == ["axial00000", "axial00001"]
    assert all("declares no gray scale" in (each.problem or "") for each in found)


def test_a_window_is_asked_for_where_bundle_and_file_name_none(tmp_path: Path) -> None:
    values = np.full((4, 4, 1), 250, np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    Image.fromarray(np.full((4, 4), 191, np.uint8)).save(tmp_path / "a.png")  # 250 of -500 to 500
    bundle = open_bundle(gray_bundle(tmp_path / "b"))
    windowed = Predictor(bundle, threads=1, window="0.5/1001")
    volume, plain = windowed.predict_files([tmp_path / "a.nii", tmp_path / "a.png"])
    assert volume.probabilities == pytest.approx(plain.probabilities, abs=1e-2)
    with pytest.raises(UnknownNameError, match="no window is called 'lungs'. Did you mean 'lung'"):
        Predictor(bundle, threads=1, window="lungs")


def test_a_bundle_keeps_its_own_window(tmp_path: Path) -> None:
    bundle = open_bundle(segmenting_bundle(tmp_path / "b", window="0/1000"))
    with pytest.raises(RecipeError, match="trained with its own window, 0/1000. Leave --window"):
        Predictor(bundle, threads=1, window="lung")
