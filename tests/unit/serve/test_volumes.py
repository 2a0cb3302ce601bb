from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import DataError
from medistill.imaging.reader import read_image
from medistill.imaging.volume import OpenVolume
from medistill.serve.inputs import find_inputs
from medistill.serve.predictor import Predictor
from medistill.serve.volumes import LastVolume
from tests.unit.bundle.handmade import gray_bundle


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
    with LastVolume() as volume:
        for item in find_inputs(paths):
            shown = volume.picture(item, None).pixels
            assert np.array_equal(shown, read_image(item.path, frame=item.frame).pixels)
    assert opened == paths


def test_a_volume_that_cannot_be_unpacked_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.nii.gz", 5)
    items = list(find_inputs([path]))
    path.write_bytes(path.read_bytes()[:-20])
    with LastVolume() as volume:
        with pytest.raises(DataError, match="cannot be read"):
            volume.picture(items[0], None)
        monkeypatch.setattr(OpenVolume, "__init__", lambda *_: pytest.fail("opened again"))
        with pytest.raises(DataError, match="cannot be read"):
            volume.picture(items[1], None)


def test_slices_without_a_gray_scale_are_problems_that_name_the_reason(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    predictor = Predictor(open_bundle(gray_bundle(tmp_path / "b")), threads=1)
    found = list(predictor.predict_files([tmp_path / "a.nii"]))
    assert [each.path.rpartition("#")[2] for each in found] == ["axial00000", "axial00001"]
    assert all("declares no gray scale" in (each.problem or "") for each in found)
