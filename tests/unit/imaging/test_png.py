"""Plain PNG is decoded without Pillow, to Pillow's pixels; whatever else it holds is left to it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from medistill.core.errors import DataError
from medistill.imaging import png
from medistill.imaging.png import decode_plain_png
from medistill.imaging.raster import decode_raster

RANDOM = np.random.default_rng(0)
# Smooth enough that an encoder takes every filter of a line.
SMOOTH = (np.add.outer(np.arange(40) ** 2 / 9, 5 * np.arange(50)) % 256).astype(np.uint8)
PICTURES: dict[str, NDArray[Any]] = {
    "noise": RANDOM.integers(0, 256, (40, 50)).astype(np.uint8),
    "smooth": SMOOTH,
    "one pixel": np.array([[7]], dtype=np.uint8),
    "one line": SMOOTH[:1, :30],
    "colour": np.stack([SMOOTH, SMOOTH.T[:40, :40].repeat(2, 1)[:, :50], 255 - SMOOTH], axis=-1),
    "16 bits": (SMOOTH.astype(np.uint16) * 257 + RANDOM.integers(0, 99, (40, 50))).astype("<u2"),
}
MAGIC_AND_HEADER = 33
XMP = b'XML:com.adobe.xmp\0<rdf:Description tiff:Orientation="6"/>'


def _png(values: NDArray[Any], **options: Any) -> bytes:
    held = io.BytesIO()
    Image.fromarray(values).save(held, "PNG", **options)
    return held.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    sum_ = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)


def _with(chunk: bytes, values: NDArray[Any] = SMOOTH) -> bytes:
    """A file with a chunk after its header."""
    plain = _png(values)
    return plain[:MAGIC_AND_HEADER] + chunk + plain[MAGIC_AND_HEADER:]


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_that_pillow_decodes(name: str, level: int) -> None:
    content = _png(PICTURES[name], compress_level=level)
    picture = decode_plain_png(io.BytesIO(content), "a.png")
    assert picture is not None
    assert picture.levels is not None
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(picture.levels.values, np.asarray(image))
        assert picture.history[0] == f"PNG {image.mode} {image.width}x{image.height}"
    assert picture.levels.white == (65535 if name == "16 bits" else 255)
    np.testing.assert_array_equal(picture.levels.values, PICTURES[name])


@pytest.mark.parametrize("filtered", range(5))
def test_every_filter_of_lines_is_undone(filtered: int) -> None:
    # PNG, 9.2: the filtered value is the value less its prediction from left, above, both or Paeth.
    left = np.pad(SMOOTH, ((0, 0), (1, 0)))[:, :-1].astype(int)
    above = np.pad(SMOOTH, ((1, 0), (0, 0)))[:-1].astype(int)
    corner = np.pad(SMOOTH, ((1, 0), (1, 0)))[:-1, :-1].astype(int)
    distances = np.abs(np.stack([above - corner, left - corner, left + above - 2 * corner]))
    paeth = np.choose(distances.argmin(axis=0), [left, above, corner])
    guesses = [0 * left, left, above, (left + above) // 2, paeth]
    lines = ((SMOOTH - guesses[filtered]) % 256).astype(np.uint8)
    stream = zlib.compress(np.pad(lines, ((0, 0), (1, 0)), constant_values=filtered).tobytes())
    whole = _png(SMOOTH)[:MAGIC_AND_HEADER] + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")
    picture = decode_plain_png(io.BytesIO(whole), "a.png")
    assert picture is not None
    assert picture.levels is not None
    np.testing.assert_array_equal(picture.levels.values, SMOOTH)


@pytest.mark.parametrize(
    "chunk",
    [
        _chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
        _chunk(b"gAMA", struct.pack(">I", 45455)),
        _chunk(b"tEXt", b"Software\0scanner"),
    ],
)
def test_what_changes_no_pixel_is_passed_over(chunk: bytes) -> None:
    picture = decode_plain_png(io.BytesIO(_with(chunk)), "a.png")
    assert picture is not None
    assert picture.levels is not None
    np.testing.assert_array_equal(picture.levels.values, SMOOTH)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _png(SMOOTH, exif=exif)


def _noted() -> bytes:
    note = PngImagePlugin.PngInfo()
    note.add_text("Raw profile type exif", "\nexif\n0\n")
    return _png(SMOOTH, pnginfo=note)


OTHERS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "its magic alone": lambda: _png(SMOOTH)[:8],
    "another format": lambda: b"BM" + bytes(80),
    "transparency": lambda: _png(np.dstack([SMOOTH] * 4)),
    "gray and alpha": lambda: _png(np.dstack([SMOOTH] * 2)),
    "one gray is transparent": lambda: _with(_chunk(b"tRNS", b"\0\7")),
    "palette": lambda: _png(np.asarray(Image.fromarray(SMOOTH))[:4] > 9),
    "orientation": _turned,
    "orientation in a text": _noted,
    "orientation as XMP in a text": lambda: _with(_chunk(b"tEXt", XMP)),
    "a long text": lambda: _with(_chunk(b"tEXt", b"a\0" + b"b" * 2**16)),
    "frames": lambda: _with(_chunk(b"acTL", struct.pack(">II", 2, 0))),
    "an unknown chunk": lambda: _with(_chunk(b"abCd", b"")),
    "no end": lambda: _png(SMOOTH)[:-12],
    "no pixels": lambda: _png(SMOOTH)[:MAGIC_AND_HEADER] + _chunk(b"IEND", b""),
    "cut off": lambda: _png(SMOOTH)[:-60],
}


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_none_and_the_stream_at_its_start(name: str) -> None:
    stream = io.BytesIO(b"before" + OTHERS[name]())
    stream.seek(6)
    assert decode_plain_png(stream, "a.png") is None
    assert stream.tell() == 6


class PanicException(BaseException):  # noqa: N818 - the name that pyo3 gives it
    """As a decoder in Rust raises over its own fault."""


class _Stopped(BaseException):
    """As Ctrl-C."""


@pytest.mark.parametrize("raised", [ValueError, PanicException, _Stopped])
def test_a_fault_of_the_decoder_is_left_to_pillow_and_a_stop_is_none(
    monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    def decode(*_: object) -> NDArray[Any]:
        raise raised

    monkeypatch.setattr(png, "_FORMS", {(8, 0): png._FORMS[8, 0]._replace(decode=decode)})
    stream = io.BytesIO(_png(SMOOTH))
    if raised is _Stopped:
        with pytest.raises(_Stopped):
            decode_raster(stream, where="a.png")
    else:
        found = decode_raster(stream, where="a.png")
        np.testing.assert_array_equal(found.pixels, SMOOTH / np.float32(255))


def test_interlaced_pixels_are_left_to_pillow() -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)
    pixels = _chunk(b"IDAT", zlib.compress(b"\0\x80"))
    whole = _png(SMOOTH)[:8] + _chunk(b"IHDR", header) + pixels + _chunk(b"IEND", b"")
    assert decode_plain_png(io.BytesIO(whole), "a.png") is None
    assert decode_raster(io.BytesIO(whole), where="a.png").history == ("PNG L 1x1",)


def test_flipped_bits_are_refused_or_change_nothing() -> None:
    plain, refused = _png(SMOOTH), 0
    for place in range(MAGIC_AND_HEADER, len(plain)):
        damaged = bytearray(plain)
        damaged[place] ^= 1 << place % 8
        try:
            picture = decode_raster(io.BytesIO(bytes(damaged)), where="a.png")
        except DataError:
            refused += 1
            continue
        np.testing.assert_array_equal(picture.pixels, SMOOTH / np.float32(255))
    assert refused > 0.8 * (len(plain) - MAGIC_AND_HEADER)


def test_wrong_sum_of_pixels_is_refused_whatever_the_file_holds_besides() -> None:
    for plain in (_png(SMOOTH), _png(np.dstack([SMOOTH] * 4))):
        at = plain.index(b"IDAT") + 4 + int.from_bytes(plain[MAGIC_AND_HEADER:][:4], "big")
        damaged = plain[: at + 3] + bytes([plain[at + 3] ^ 1]) + plain[at + 4 :]
        with pytest.raises(DataError, match="the checksum of its pixels is wrong"):
            decode_raster(io.BytesIO(damaged), where="a.png")


def test_too_large_a_picture_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    plain = _png(SMOOTH)
    whole = plain[:8] + _chunk(b"IHDR", header) + plain[MAGIC_AND_HEADER:]
    with pytest.raises(DataError, match="has 60000 x 60000 pixels, more than 64,000,000"):
        decode_plain_png(io.BytesIO(whole), "a.png")
