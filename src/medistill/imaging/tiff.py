"""Uncompressed TIFF of depths and layouts that Pillow refuses or misreads. Torch-free.

Those are gray of 1 to 16 bits that are packed without gaps, of 16-, 32- and 64-bit floats, and gray
or colour of 16 bits whose planes are stored one after the other (TIFF 6.0, PlanarConfiguration).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from medistill.imaging.picture import check_size, refusal

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 255, 256, 257, 258, 259
_PHOTOMETRIC, _FILL, _OFFSETS, _SAMPLES, _ROWS, _PLANAR, _FORMAT = 262, 266, 273, 277, 278, 284, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_SEPARATE, _UNCOMPRESSED, _FLOAT = 2, 1, 3
#: Bits of a page's kind: a reduced copy of another page, or its mask of transparency.
_REDUCED, _OLD_REDUCED = 0b101, 2
_ROWS_AT_ONCE = 64
_CURE = "Save it as uncompressed gray of 8 or 16 bits."


class Deep(NamedTuple):
    """What a file holds.

    Attributes:
        values: (H, W) whole numbers or floats, (H, W, 3) uint8 for colour.
        bits: bits of a value; of floats those of their type.
        white_is_zero: whether gray is inverted.
    """

    values: NDArray[Any]
    bits: int
    white_is_zero: bool


class _Form(NamedTuple):
    width: int
    height: int
    samples: int
    bits: int
    kind: int
    photometric: int
    big: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of one plane, whose end is filled up."""
        return -(-self.width * self.bits // 8)


def keep_full_page(image: Image.Image) -> int:
    """Turn to the first page that is no thumbnail or mask of another; the number of such pages."""
    pages = int(getattr(image, "n_frames", 1))
    full = []
    for number in range(pages):
        image.seek(number)
        tags: Mapping[int, Any] = image.tag_v2  # type: ignore[attr-defined]
        kind = int(tags.get(_SUBFILE, 0)) & _REDUCED
        if not kind and tags.get(_OLD_SUBFILE) != _OLD_REDUCED:
            full.append(number)
    image.seek(full[0] if full else 0)
    return len(full) or pages


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow takes another form for the planes of an open TIFF file.

    Of the name of a form such as ``RGB;16L`` it gives each plane one letter, so that bits, order of
    bytes and inversion are lost. Compressed files go through libtiff, which keeps them.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    if image.format != "TIFF" or tags.get(_PLANAR, 1) != _SEPARATE:
        return False
    if tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED:
        return False
    bits = _numbers(tags, _BITS, 1)
    kept = set(bits) <= {1, 8} or (set(bits) == {32} and getattr(tags, "prefix", b"") == b"II")
    return not kept or tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO


def decode_tiff(stream: BinaryIO, where: object, tags: Mapping[int, Any] | None = None) -> Deep:
    """Decode an uncompressed file.

    Args:
        stream: the file.
        where: how errors name it.
        tags: of the page to read; None for the first.

    Raises:
        DataError: a form that is not read, too large, or too short.
        Exception: what Pillow raises over malformed tags.
    """
    stream.seek(0)
    head = stream.read(16)
    if tags is None:
        directory = ImageFileDirectory_v2(head if b"+" in head[:4] else head[:8])
        stream.seek(directory.next or 0)
        directory.load(stream)
        tags = directory
    form = _form(tags, head.startswith(b"MM"), where)
    check_size(where, width=form.width, height=form.height)
    rows = _rows(stream, tags, form, where)
    if form.samples == 1:
        return Deep(_unpacked(rows, form), form.bits, form.photometric == _WHITE_IS_ZERO)
    planes = _unpacked(rows, form).reshape(form.samples, form.height, form.width)
    # The upper half, which is what Pillow keeps of colour that is stored pixel by pixel.
    colour = np.moveaxis(planes >> 8, 0, -1).astype(np.uint8)
    return Deep(np.ascontiguousarray(colour), 8, white_is_zero=False)


def _form(tags: Mapping[int, Any], big: bool, where: object) -> _Form:
    bits, kinds = set(_numbers(tags, _BITS, 1)), set(_numbers(tags, _FORMAT, 1))
    form = _Form(
        width=int(tags[_WIDTH]),
        height=int(tags[_HEIGHT]),
        samples=int(tags.get(_SAMPLES, 1)),
        bits=max(bits),
        kind=max(kinds),
        photometric=int(tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO)),
        big=big,
    )
    stored = tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED and _OFFSETS in tags
    alike = len(bits) == len(kinds) == 1 and tags.get(_FILL, 1) == 1
    planes = tags.get(_PLANAR, 1) == _SEPARATE
    if not (stored and alike and (_is_gray(form) or (planes and _is_deep_colour(form)))):
        number = "floats" if form.kind == _FLOAT else "numbers"
        layout = ("" if stored else "compressed or tiled, ") + ("separate planes, " * planes)
        what = f"is TIFF ({layout}{form.samples} x {form.bits}-bit {number}), which is not read"
        raise refusal(where, what, _CURE)
    return form


def _is_gray(form: _Form) -> bool:
    whole = form.kind == 1 and 1 <= form.bits <= 16
    real = form.kind == _FLOAT and form.bits in (16, 32, 64)
    return form.samples == 1 and form.photometric <= _BLACK_IS_ZERO and (whole or real)


def _is_deep_colour(form: _Form) -> bool:
    return (form.samples, form.photometric, form.kind, form.bits) == (3, _RGB, 1, 16)


def _rows(
    stream: BinaryIO, tags: Mapping[int, Any], form: _Form, where: object
) -> NDArray[np.uint8]:
    """Rows of all planes, uint8 of shape (planes x height, bytes of a row)."""
    a_strip = min(int(tags.get(_ROWS, form.height)), form.height)
    pieces, strips = [], _numbers(tags, _OFFSETS, 0)
    starts = range(0, form.height, a_strip)
    for number, offset in enumerate(strips[: len(starts) * form.samples]):
        left = form.height - starts[number % len(starts)]
        stream.seek(offset)
        pieces.append(stream.read(min(a_strip, left) * form.row_bytes))
    data, expected = b"".join(pieces), form.samples * form.height * form.row_bytes
    if len(data) < expected:
        raise refusal(where, f"is damaged or truncated ({len(data):,} of {expected:,} bytes)")
    return np.frombuffer(data, np.uint8).reshape(-1, form.row_bytes)


def _unpacked(rows: NDArray[np.uint8], form: _Form) -> NDArray[Any]:
    """Values of each row."""
    if form.bits in (8, 16, 32, 64):
        letter = "f" if form.kind == _FLOAT else "u"
        dtype = np.dtype(f"{'>' if form.big else '<'}{letter}{form.bits // 8}")
        return rows.view(dtype).astype(dtype.newbyteorder("="))
    values = np.empty((len(rows), form.width), np.uint16)
    powers = (1 << np.arange(form.bits - 1, -1, -1)).astype(np.uint16)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        piece = np.unpackbits(rows[start : start + _ROWS_AT_ONCE], axis=1)
        digits = piece[:, : form.width * form.bits].reshape(len(piece), form.width, form.bits)
        values[start : start + _ROWS_AT_ONCE] = digits @ powers
    return values


def _numbers(tags: Mapping[int, Any], tag: int, default: int) -> tuple[int, ...]:
    found = tags.get(tag, default)
    return tuple(int(n) for n in found) if isinstance(found, tuple) else (int(found),)
