"""Files are told by their first bytes, whatever they are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.imaging.reader import is_image_name, read_image
from tests.unit.imaging.dicom_files import save

PIXELS = np.arange(16, dtype=np.uint8).reshape(4, 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.PNG", True),
        ("a.dcm", True),
        ("a.nii.gz", True),
        ("a.nii", True),
        (".a.png", False),
        ("a.gz", False),
        ("a.txt", False),
    ],
)
def test_names_of_images(name: str, expected: bool) -> None:
    assert is_image_name(name) is expected


@pytest.mark.parametrize("name", ["IM0001", "scan.png", "肺部 扫描.dcm"])
def test_dicom_under_any_name(tmp_path: Path, name: str) -> None:
    np.testing.assert_allclose(read_image(save(tmp_path / name, PIXELS)).pixels, PIXELS / 255)


def test_png_called_dicom_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    Image.fromarray(PIXELS).save(path, "PNG")
    np.testing.assert_allclose(read_image(path).pixels, PIXELS / 255)


def test_pictures_are_read_without_waiting_for_pydicom(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    code = (
        "import sys\nfrom medistill.imaging.reader import read_image\n"
        f"read_image({str(tmp_path / 'a.png')!r})\n"
        "sys.exit(3 if {'pydicom', 'nibabel'} & sys.modules.keys() else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(DataError, match="cannot be opened"):
        read_image(tmp_path / "a.png")


def test_huge_png_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(DataError, match="pixels, more than|more than 64,000,000 pixels"):
        read_image(tmp_path / "a.png")
