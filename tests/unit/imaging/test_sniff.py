"""First bytes of DICOM and NIfTI, and of what only looks like them."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from medistill.imaging.sniff import is_dicom, is_dicom_file, is_nifti, is_raster

NIFTI_1 = (348).to_bytes(4, "little") + b"\0" * 340 + b"n+1\0"
NIFTI_2 = (540).to_bytes(4, "big") + b"n+2\0" + b"\0" * 532


# A length of 4 and the next element of the group, with and without letters for the kind.
IMPLICIT = b"\x08\0\0\0\4\0\0\0\x10\0\0\0\x08\0\x05\0"
BIG = b"\0\x08\0\0\0\0\0\4\0\0\0\x10\0\x08\0\x05"


@pytest.mark.parametrize(
    "head",
    [b"\0" * 128 + b"DICM", b"\x08\0\x05\0CS", b"\x02\0\0\0UL\4\0", IMPLICIT, BIG],
)
def test_dicom(head: bytes) -> None:
    assert is_dicom(head)
    assert not is_nifti(head)


@pytest.mark.parametrize("head", [NIFTI_1, NIFTI_2, gzip.compress(NIFTI_1, mtime=0)])
def test_nifti(head: bytes) -> None:
    assert is_nifti(head)
    assert not is_dicom(head)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x89PNG",
        b"\x1f\x8brubbish",
        NIFTI_1[:100],
        b"text",
        b"\x08\0" + bytes(1022),
        b"\x02\0\0\0" + bytes(range(100)),
        b"\0\x08\0" + b"\x07" * 300,
    ],
)
def test_neither(head: bytes) -> None:
    assert not is_dicom(head)
    assert not is_nifti(head)


def test_png_and_jpeg_are_told_unless_they_are_the_preamble_of_dicom() -> None:
    png, jpeg = b"\x89PNG\r\n\x1a\n" + b"\0" * 200, b"\xff\xd8\xff\xe0" + b"\0" * 200
    assert is_raster(png)
    assert is_raster(jpeg)
    assert not is_raster(png[:128] + b"DICM")
    assert not is_raster(b"II*\0" + b"\0" * 200)


def test_files_are_told_by_their_bytes_and_an_index_is_no_picture(tmp_path: Path) -> None:
    for name in ("IM0001", "1.2.840", "DICOMDIR"):
        (tmp_path / name).write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "notes").write_text("text")
    os.mkfifo(tmp_path / "pipe")
    found = [path.name for path in sorted(tmp_path.iterdir()) if is_dicom_file(path)]
    assert found == ["1.2.840", "IM0001"]
    assert not is_dicom_file(tmp_path / "absent")
