"""Volumes cut into slices and put together again, whatever their orientation."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.imaging.reader import read_image
from medistill.imaging.volume import LabelMap, OpenVolume, write_label_map
from tests.unit.imaging.test_nifti import RAS, SHOWN, _save


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "SAL"])
@pytest.mark.parametrize("plane", SHOWN)
def test_slices_that_are_laid_back_are_the_volume(tmp_path: Path, codes: str, plane: Plane) -> None:
    path = _save(tmp_path / "a.nii.gz", codes)
    volume = OpenVolume(path)
    labels = LabelMap(path)
    for number in range({"axial": 5, "coronal": 4, "sagittal": 3}[plane]):
        picture = volume.picture(number, plane, None)
        assert np.array_equal(picture.pixels, read_image(path, frame=number, plane=plane).pixels)
        labels.put(np.rint(picture.pixels * 255).astype(np.uint8), number, plane)
    labels.save(tmp_path / "mask.nii.gz")
    volume.close()
    source, mask = nibabel.load(path), nibabel.load(tmp_path / "mask.nii.gz")
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(source.dataobj))
    np.testing.assert_array_equal(mask.affine, source.affine)
    assert mask.get_data_dtype() == np.uint8


def test_codes_units_and_an_oblique_affine_are_kept(tmp_path: Path) -> None:
    turn = np.deg2rad(20)
    affine = np.diag([0.7, 0.7, 3.0, 1.0])
    affine[:2, :2] = 0.7 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[:3, 3] = [-120, 33.5, 7]
    source = nibabel.Nifti1Image(RAS, affine)
    source.set_sform(affine, 2)
    source.set_qform(affine, 1)
    source.header.set_xyzt_units("mm", "sec")
    source.header["descrip"] = b"DOE^JANE"
    nibabel.save(source, tmp_path / "a.nii")
    LabelMap(tmp_path / "a.nii").save(tmp_path / "mask.nii")
    mask = nibabel.load(tmp_path / "mask.nii")
    np.testing.assert_allclose(mask.affine, affine, atol=1e-5)
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (2, 1)
    assert mask.header.get_xyzt_units() == ("mm", "sec")
    assert b"DOE" not in (tmp_path / "mask.nii").read_bytes()


def test_a_picture_without_geometry_gets_none(tmp_path: Path) -> None:
    write_label_map(tmp_path / "m.nii.gz", np.ones((3, 2, 1), np.uint8), None)
    mask = nibabel.load(tmp_path / "m.nii.gz")
    assert mask.shape == (3, 2, 1)
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (0, 0)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        OpenVolume(tmp_path / "absent.nii")
    whole = _save(tmp_path / "a.nii.gz", "RAS").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[:-30])
    with pytest.raises(DataError, match=r"cannot be read|is damaged"):
        OpenVolume(tmp_path / "cut.nii.gz").picture(4, "axial", None)
