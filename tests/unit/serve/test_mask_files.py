from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import MedistillError
from medistill.serve import mask_files
from medistill.serve.command import predict_command
from medistill.serve.mask_files import MaskFolder
from medistill.serve.predictor import Predictor
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.serve.segmenting import segmenting_bundle


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    (tmp_path / "masks").mkdir()
    return tmp_path / "masks"


def drawn(shape: tuple[int, int]) -> np.ndarray:
    """White in the upper right quarter."""
    pixels = np.zeros(shape, np.uint8)
    pixels[: shape[0] // 2, shape[1] // 2 :] = 255
    return pixels


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_equal_names_of_two_folders_stay_apart_and_the_table_names_them(
    tmp_path: Path, masks: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(drawn((16, 16))).save(tmp_path / name / "x.y.png")
    (tmp_path / "b" / "bad.png").write_bytes(b"rubbish")
    out, bundle = tmp_path / "o.csv", segmenting_bundle(tmp_path / "bundle")
    assert predict_command(bundle, [tmp_path / "a", tmp_path / "b"], out, masks=masks) == 0
    first, bad, second = rows(out)
    assert (bad["mask"], bad["problem"] != "") == ("", True)
    assert first["mask"] != second["mask"]
    assert {first["mask"], second["mask"]} == {path.name for path in masks.iterdir()}
    assert first["mask"].startswith("x.y-")
    np.testing.assert_array_equal(
        np.asarray(Image.open(masks / first["mask"])), drawn((16, 16)) > 0
    )
    assert float(first["lesion"]) == 0.25


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR"])
def test_slices_of_a_volume_become_one_label_map_in_its_own_axes(
    tmp_path: Path, masks: Path, codes: str
) -> None:
    hounsfield = np.random.default_rng(0).choice([-1000, 900], (16, 16, 5)).astype(np.int16)
    plain = nibabel.Nifti1Image(hounsfield, np.diag([0.7, 0.7, 3, 1]))
    turned = plain.as_reoriented(nibabel.orientations.axcodes2ornt(codes))
    nibabel.save(turned, tmp_path / "scan.nii.gz")
    bundle, out = segmenting_bundle(tmp_path / "b", window="0/1000"), tmp_path / "o.csv"
    done = predict_command(
        bundle, [tmp_path / "scan.nii.gz"], out, masks=masks, mask_form="nifti", batch_size=2
    )
    assert done == 0
    found = rows(out)
    assert [row["path"].rpartition("#")[2] for row in found] == [f"axial{n:05}" for n in range(5)]
    (name,) = {row["mask"] for row in found}
    mask = nibabel.load(masks / name)
    np.testing.assert_allclose(mask.affine, turned.affine)
    np.testing.assert_array_equal(np.asarray(mask.dataobj), np.asarray(turned.dataobj) > 0)


def test_a_picture_becomes_a_label_map_of_one_slice(tmp_path: Path, masks: Path) -> None:
    Image.fromarray(drawn((16, 16))).save(tmp_path / "a.png")
    bundle = segmenting_bundle(tmp_path / "b")
    predict_command(
        bundle, [tmp_path / "a.png"], tmp_path / "o.csv", masks=masks, mask_form="nifti"
    )
    (path,) = masks.iterdir()
    np.testing.assert_array_equal(
        np.asarray(nibabel.load(path).dataobj)[:, :, 0].T, drawn((16, 16)) > 0
    )


def test_a_stopped_run_repeats_the_volume_that_was_not_whole(tmp_path: Path, masks: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 4), np.uint8), np.eye(4)), tmp_path / "a.nii")
    bundle = open_bundle(segmenting_bundle(tmp_path / "b"))
    folder, told = MaskFolder(masks, "nifti", bundle), []
    predicted = Predictor(bundle, threads=1).predict_files([tmp_path / "a.nii"])
    for number, found in enumerate(predicted):
        told = folder.take(found)
        assert bool(told) == (number == 3)
    assert len(told) == 4
    assert not any(found.mask is not None for found in told)  # memory does not grow


def test_masks_of_a_classifier_or_to_nowhere_are_refused(tmp_path: Path) -> None:
    classifier = open_bundle(gray_bundle(tmp_path / "c"))
    with pytest.raises(MedistillError, match="--masks: this bundle classifies"):
        MaskFolder(tmp_path, "png", classifier)
    bundle = open_bundle(segmenting_bundle(tmp_path / "s"))
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MedistillError, match="a file is in the way. Choose another folder"):
            MaskFolder(place, "png", bundle)


def test_a_disk_that_refuses_masks_is_named_by_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, picture = segmenting_bundle(tmp_path / "s"), tmp_path / "a.png"
    Image.new("L", (16, 16), 90).save(picture)
    with pytest.raises(MedistillError, match=r"x: cannot be written \(File name too long\)"):
        MaskFolder(tmp_path / ("x" * 300), "png", open_bundle(bundle))

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mask_files, "write_bytes", full)
    out, masks = tmp_path / "out.csv", tmp_path / "masks"
    with pytest.raises(MedistillError, match=r"No space left.*Free space.*with --masks") as caught:
        predict_command(bundle, [picture], out, masks=masks, threads=1)
    assert caught.value.where == str(masks)


def test_the_folder_is_made(tmp_path: Path) -> None:
    bundle = open_bundle(segmenting_bundle(tmp_path / "s"))
    MaskFolder(tmp_path / "a" / "b", "png", bundle)
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("form", "module", "extra"), [("nifti", "nibabel", "nifti"), ("seg", "highdicom", "seg")]
)
def test_a_missing_extra_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, module: str, extra: str
) -> None:
    bundle = open_bundle(segmenting_bundle(tmp_path / "s"))
    for place in ("mask_files", "mask_dicom"):
        monkeypatch.setattr(
            f"medistill.serve.{place}.find_spec", lambda name: None if name == module else name
        )
    with pytest.raises(MedistillError, match=rf"pip install 'medistill\[{extra}\]'"):
        MaskFolder(tmp_path, form, bundle)  # type: ignore[arg-type]
