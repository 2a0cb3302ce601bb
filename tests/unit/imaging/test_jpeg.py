"""JPEG of more than 8 bits as a picture of its own, and the size that a code stream claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from imagecodecs import jpeg8_encode, ljpeg_encode

from medistill.core.errors import DataError
from medistill.imaging import jpeg
from medistill.imaging.jpeg import jpeg_size
from medistill.imaging.reader import read_image

RAMP = np.tile(np.arange(64, dtype=np.uint16) * 64, (32, 1))


def _twelve(path: Path) -> Path:
    path.write_bytes(jpeg8_encode(RAMP, level=100, bitspersample=12))
    return path


def test_twelve_bits_have_white_4095(tmp_path: Path) -> None:
    picture = read_image(_twelve(tmp_path / "a.jpg"))
    np.testing.assert_allclose(picture.pixels, RAMP / 4095, atol=8 / 4095)
    assert picture.history == ("JPEG 64x32", "12-bit, white 4095")


def test_lossless_sixteen_bits_are_exact(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (24, 40)).astype(np.uint16)
    (tmp_path / "a.jpg").write_bytes(ljpeg_encode(values, bitspersample=16))
    shown = read_image(tmp_path / "a.jpg").pixels
    np.testing.assert_allclose(shown, values / 65535, atol=1e-7)


def test_colour_of_twelve_bits_keeps_its_channels(tmp_path: Path) -> None:
    flat = np.broadcast_to(np.array([4000, 2000, 400], dtype=np.uint16), (16, 16, 3))
    content = jpeg8_encode(np.ascontiguousarray(flat), level=100, bitspersample=12)
    (tmp_path / "a.jpg").write_bytes(content)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").pixels, flat / 4095, atol=8 / 4095)


def test_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = _twelve(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-90])
    with pytest.raises(DataError, match="damaged or truncated"):
        read_image(path)


def test_values_beyond_the_claimed_depth_are_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (24, 40)).astype(np.uint16)
    content = bytearray(ljpeg_encode(values, bitspersample=16))
    content[content.find(b"\xff\xc3") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"holds values from \d+ to \d+, beyond .* white 4095"):
        read_image(tmp_path / "a.jpg")


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    path = _twelve(tmp_path / "a.jpg")
    content = bytearray(path.read_bytes())
    # The class and number of the first Huffman table cannot be.
    place = content.find(b"\xff\xc4")
    content[place + 4] = 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or truncated"):
        read_image(path)


def test_depth_is_named_where_nothing_decodes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"is JPEG of 12 bits, which nothing .*medistill\[dicom\]"):
        read_image(_twelve(tmp_path / "a.jpg"))


def test_jpeg_header_by_hand() -> None:
    # SOI, a comment of 4 bytes, then a baseline frame of 8 bits, 7 rows and 9 columns.
    head = bytes([0xFF, 0xD8, 0xFF, 0xFE, 0, 4, 1, 2])
    frame = bytes([0xFF, 0xC0, 0, 11, 8, 0, 7, 0, 9, 1, 1, 0x11, 0])
    assert jpeg_size(head + frame) == ((9, 7), 8)
    assert jpeg_size(head) == (None, 0)
    assert jpeg_size(b"") == (None, 0)
