"""Slices of NIfTI volumes: upright in every orientation, refused without a gray scale."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.imaging.reader import read_image

#: One value for each place of a RAS+ volume of 3 x 4 x 5: x to the right, y to the front, z up.
RAS = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
#: What a screen shows: the patient's right on the left, front or head on top.
SHOWN: dict[Plane, Any] = {
    "axial": lambda k: RAS[::-1, ::-1, k].T,
    "coronal": lambda k: RAS[::-1, k, ::-1].T,
    "sagittal": lambda k: RAS[k, ::-1, ::-1].T,
}


def _save(path: Path, codes: str, data: NDArray[Any] = RAS, **header: float) -> Path:
    """A volume of RAS+ values, stored in the axes that ``codes`` names."""
    plain = nibabel.Nifti1Image(data, np.eye(4))
    for key, value in header.items():
        plain.header[key] = value
    ornt = nibabel.orientations.axcodes2ornt(codes)  # type: ignore[no-untyped-call]
    nibabel.save(plain.as_reoriented(ornt), path)  # type: ignore[no-untyped-call]
    return path


def _save_scaled(path: Path, data: NDArray[Any], *, slope: float, inter: float) -> Path:
    """Whole numbers whose header says what they stand for."""
    content = bytearray(nibabel.Nifti1Image(data, np.eye(4)).to_bytes())
    # scl_slope and scl_inter, at bytes 112 and 116 of the header.
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "SAL"])
@pytest.mark.parametrize("plane", SHOWN)
def test_every_orientation_shows_the_same_slice(tmp_path: Path, codes: str, plane: Plane) -> None:
    path = _save(tmp_path / "a.nii.gz", codes)
    for number in (0, 2):
        picture = read_image(path, frame=number, plane=plane)
        np.testing.assert_allclose(picture.pixels, SHOWN[plane](number) / 255, atol=1e-7)


def test_slices_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.nii", "RAS")
    with pytest.raises(DataError, match="holds 5 slices, one is expected"):
        read_image(path)
    with pytest.raises(DataError, match="has no slice 5: it holds 5"):
        read_image(path, frame=5)


def test_hounsfield_units_need_a_window(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.nii.gz", "RAS", (RAS.astype(np.int16) * 50 - 1024))
    with pytest.raises(
        DataError, match=r"declares no gray scale .* --window with check .*data\.window= in"
    ):
        read_image(path, frame=0)
    shown = read_image(path, frame=0, window="1024/4096").pixels
    hu = SHOWN["axial"](0).astype(float) * 50 - 1024
    np.testing.assert_allclose(shown, np.clip((hu + 1024) / 4095, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("window", "values", "expected"),
    [
        ("0.5/1", [0, 0.25, 0.5, 1], [0, 0.25, 0.5, 1]),
        ("0/4", [-2, -1, 0, 1, 2], [0, 0.25, 0.5, 0.75, 1]),
        ("0.05/0.1", [0, 0.025, 0.1], [0, 0.25, 1]),
    ],
)
@pytest.mark.parametrize("stored", ["float", "scaled"])
def test_window_of_values_without_steps_is_exact(
    tmp_path: Path, window: str, values: list[float], expected: list[float], stored: str
) -> None:
    data = np.array(values, dtype=np.float32).reshape(-1, 1, 1)
    whole = np.rint(data * 1000).astype(np.int16)
    path = tmp_path / "a.nii"
    if stored == "scaled":
        _save_scaled(path, whole, slope=0.001, inter=0)
    else:
        _save(path, "RAS", data)
    # The patient's right is on the left.
    shown = read_image(path, window=window).pixels[0, ::-1]
    np.testing.assert_allclose(shown, expected, atol=1e-4)


def test_display_range_of_the_header_is_taken(tmp_path: Path) -> None:
    data = RAS.astype(np.float32)
    path = _save(tmp_path / "a.nii", "RAS", data, cal_min=10, cal_max=30)
    expected = np.clip((SHOWN["axial"](1).astype(float) - 10) / 20, 0, 1)
    np.testing.assert_allclose(read_image(path, frame=1).pixels, expected, atol=1e-6)


@pytest.mark.parametrize(("slope", "inter"), [(2, 0), (1, 7), (0.5, 10)])
def test_scaled_bytes_have_no_declared_white(tmp_path: Path, slope: float, inter: float) -> None:
    path = _save_scaled(tmp_path / "a.nii", RAS, slope=slope, inter=inter)
    with pytest.raises(
        DataError, match=r"declares no gray scale .* --window with check .*data\.window= in"
    ):
        read_image(path, frame=0)
    plain = _save_scaled(path, RAS, slope=1, inter=0)
    np.testing.assert_allclose(read_image(plain, frame=0).pixels, SHOWN["axial"](0) / 255)


def test_whole_numbers_with_an_intercept_keep_the_formula_of_dicom(tmp_path: Path) -> None:
    path = _save_scaled(tmp_path / "a.nii", RAS.astype(np.int16) + 1024, slope=1, inter=-1024)
    # Centre 40, width 5: (x - 39.5) / 4 + 1/2.
    expected = np.clip((SHOWN["axial"](0).astype(float) - 39.5) / 4 + 0.5, 0, 1)
    shown = read_image(path, frame=0, window="40/5").pixels
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_nifti_2_is_read(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(RAS, np.eye(4)), tmp_path / "a.nii")  # type: ignore[no-untyped-call]
    shown = read_image(tmp_path / "a.nii", frame=0).pixels
    np.testing.assert_allclose(shown, SHOWN["axial"](0) / 255, atol=1e-7)


@pytest.mark.parametrize("kept", [352, 380])
def test_truncated_volume_is_refused(tmp_path: Path, kept: int) -> None:
    path = _save(tmp_path / "a.nii", "RAS")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="damaged"):
        read_image(path, frame=4)


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 9)).astype(np.uint8)
    path = _save(tmp_path / "a.nii.gz", "RAS", noise)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match="damaged"):
        read_image(path, frame=8)


def test_giant_claim_is_refused_before_reading(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_shape((30000, 30000, 30000))
    head = bytearray(header.binaryblock + b"\0" * 4)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(head)))
    with pytest.raises(DataError, match="more than 1,000,000,000 voxels"):
        read_image(tmp_path / "a.nii.gz", frame=0)
