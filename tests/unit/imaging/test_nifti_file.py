"""Volumes that are damaged, or no gray: one clear error, whoever opens them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.imaging.masks import mask_values, read_mask
from medistill.imaging.nifti import other_grid, slice_count
from medistill.imaging.nifti_file import named_faults
from medistill.imaging.reader import read_image
from medistill.imaging.volume import LabelMap, OpenVolume

VOXELS = (np.random.default_rng(0).random((12, 10, 4)) * 200).astype(np.uint8)
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def _through_volume(path: Path) -> None:
    volume = OpenVolume(path)
    try:
        volume.picture(1, "axial", None)
    finally:
        volume.close()


OPENERS: dict[str, Callable[[Path], Any]] = {
    "picture": lambda path: read_image(path, window="100/200", frame=1),
    "slices": lambda path: slice_count(path, "axial"),
    "grid": lambda path: other_grid(path, path),
    "mask": lambda path: read_mask(path, classes=255, frame=1),
    "values": mask_values,
    "volume": _through_volume,
    "label map": LabelMap,
}


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [RGB, np.complex64], ids=["colour", "complex"])
@pytest.mark.parametrize("opener", OPENERS)
def test_volumes_that_are_no_gray_are_refused(
    tmp_path: Path, opener: str, dtype: Any, name: str
) -> None:
    nibabel.Nifti1Image(np.zeros((3, 4, 5), dtype), np.eye(4)).to_filename(tmp_path / name)
    with pytest.raises(DataError, match=r"holds (colours \(RGB\)|complex numbers), gray values"):
        OPENERS[opener](tmp_path / name)


@pytest.mark.parametrize("opener", ["picture", "slices", "mask", "volume"])
def test_voxels_that_would_begin_far_behind_are_refused(tmp_path: Path, opener: str) -> None:
    data = bytearray(nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes())
    data[108:112] = np.float32(3e8).tobytes()  # vox_offset
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DataError, match="its voxels would begin at byte 300,000,000"):
        OPENERS[opener](tmp_path / "a.nii.gz")


@pytest.mark.parametrize("opener", ["picture", "slices", "mask", "volume"])
def test_affine_without_numbers_is_refused(tmp_path: Path, opener: str) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.eye(4))
    image.set_sform(np.eye(4), 1)
    data = bytearray(image.to_bytes())
    # The first entry of srow_x.
    data[280:284] = np.float32(np.nan).tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(DataError, match="affine with entries that are not numbers"):
        OPENERS[opener](tmp_path / "a.nii")


@pytest.mark.parametrize("kept", [3, 14, 30])
@pytest.mark.parametrize("opener", OPENERS)
def test_cut_off_archives_are_refused(tmp_path: Path, opener: str, kept: int) -> None:
    whole = gzip.compress(nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes())
    (tmp_path / "a.nii.gz").write_bytes(whole[:kept])
    with pytest.raises(DataError):
        OPENERS[opener](tmp_path / "a.nii.gz")


@pytest.mark.parametrize("zipped", [False, True])
def test_mutated_copies_are_read_or_refused(tmp_path: Path, zipped: bool) -> None:
    draw = np.random.default_rng(5)
    whole = nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()
    whole = gzip.compress(whole, mtime=0) if zipped else whole
    path, read, refused = tmp_path / ("a.nii.gz" if zipped else "a.nii"), 0, 0
    for _ in range(60):
        copy = bytearray(whole)
        for place in draw.integers(0, min(400, len(copy)), size=4):
            copy[place] = draw.integers(256)
        path.write_bytes(copy)
        for opener in OPENERS.values():
            try:
                opener(path)
                read += 1
            except DataError:
                refused += 1
    # Both happen: the copies are neither all whole nor all beyond reading.
    assert read
    assert refused


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "NIfTI too large to be read"),
        (TypeError("float() argument"), r"truncated NIfTI \(float\(\) argument\)"),
    ],
)
def test_any_fault_of_a_parser_is_one_sentence(error: Exception, words: str) -> None:
    with pytest.raises(DataError, match=words), named_faults("a.nii"):
        raise error


def test_what_an_error_names_is_not_logged_besides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nii").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError, match="is damaged or truncated NIfTI"):
        slice_count(tmp_path / "a.nii", "axial")
    assert caplog.records == []
    assert capfd.readouterr().err == ""
    assert not nibabel.imageglobals.logger.disabled
