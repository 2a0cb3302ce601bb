"""Volumes and label maps, cut into slices."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.nifti_pairs import is_nifti_pairs, read_nifti_pairs
from medistill.imaging.masks import read_mask
from medistill.imaging.reader import read_image

VOLUME = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)


def _save(path: Path, data: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), path)  # type: ignore[no-untyped-call]


def test_every_slice_is_a_sample_of_its_volume(tmp_path: Path) -> None:
    _save(tmp_path / "imagesTr" / "a_0000.nii.gz", VOLUME)
    _save(tmp_path / "labelsTr" / "a.nii.gz", VOLUME % 3)
    assert is_nifti_pairs(tmp_path)
    images = read_nifti_pairs(tmp_path)
    assert images.classes == ("background", "label 1", "label 2")
    assert len(images.samples) == 5
    assert {s.group for s in images.samples} == {"a"}
    last = images.samples[4]
    assert (last.frame, last.name) == (4, "imagesTr/a_0000.nii.gz#axial00004")
    pixels = read_image(last.path, frame=4).pixels
    assert last.mask is not None
    mask = read_mask(last.mask, classes=3, frame=4)
    np.testing.assert_array_equal(mask, np.rint(pixels * 255).astype(int) % 3)


def test_volume_of_another_grid_is_refused(tmp_path: Path) -> None:
    _save(tmp_path / "images" / "a.nii.gz", VOLUME)
    _save(tmp_path / "labels" / "a.nii.gz", VOLUME[..., :4])
    with pytest.raises(DataError, match="has 5 slices, its label map 4"):
        read_nifti_pairs(tmp_path)
