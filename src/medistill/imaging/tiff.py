"""Pages of TIFF files, and uncompressed forms that Pillow refuses or misreads. Torch-free.

The latter are gray of 1 to 16 bits that are packed without gaps, of 16-, 32- and 64-bit floats, and
gray or colour of 16 bits whose planes are stored one after the other (TIFF 6.0,
PlanarConfiguration).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
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
_ORIENTATION, _BELOW = 274, 330
#: Of the orientations those from here on exchange width and height.
_ON_ITS_SIDE = 5
#: How each orientation is turned upright (TIFF 6.0, Orientation).
_TURNS: Mapping[int, Callable[[NDArray[Any]], NDArray[Any]]] = MappingProxyType(
    {
        1: lambda values: values,
        2: np.fliplr,
        3: lambda values: np.rot90(values, 2),
        4: np.flipud,
        5: lambda values: values.swapaxes(0, 1),
        6: lambda values: np.rot90(values, -1),
        7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
        8: np.rot90,
    }
)
_ROWS_AT_ONCE = 64
_CURE = "Save it as uncompressed gray of 8 or 16 bits."


class Page(NamedTuple):
    """The page of a file that is its picture.

    Attributes:
        number: of the page, from 0.
        tags: what its directory says.
    """

    number: int
    tags: Mapping[int, Any]

    @property
    def orientation(self) -> int:
        """How it is to be turned, 1 to 8 as in EXIF."""
        found = _numbers(self.tags, _ORIENTATION, 1)[0]
        return found if found in _TURNS else 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height once it is turned."""
        size = int(self.tags[_WIDTH]), int(self.tags[_HEIGHT])
        return size[::-1] if self.orientation >= _ON_ITS_SIDE else size


class Deep(NamedTuple):
    """What a page holds.

    Attributes:
        values: (H, W) whole numbers or floats, (H, W, 3) uint8 for colour; upright.
        bits: bits of a value; of floats those of their type.
        white_is_zero: whether gray is inverted.
        page: where it was found.
    """

    values: NDArray[Any]
    bits: int
    white_is_zero: bool
    page: Page


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


def is_tiff(stream: BinaryIO) -> bool:
    """Whether a file that is at its start begins as TIFF does; it is at its start again."""
    start = stream.tell()
    head = stream.read(4)
    stream.seek(start)
    return head in MAGICS


def full_page(stream: BinaryIO, where: object) -> Page | None:
    """The page that is no thumbnail of another and no mask of its transparency, if there is any.

    Args:
        stream: the file; left at its start.
        where: how errors name it.

    Raises:
        DataError: several such pages, or a thumbnail whose picture lies where it is not read.
        Exception: what Pillow raises over malformed tags.
    """
    pages = [Page(number, tags) for number, tags in enumerate(_directories(stream))]
    stream.seek(0)
    full = [page for page in pages if not _is_reduced(page.tags)]
    if len(full or pages) > 1:
        raise refusal(where, f"holds {len(full or pages)} frames, one is expected")
    if not full and any(_BELOW in page.tags for page in pages):
        what = "is TIFF whose first page is a thumbnail, and whose picture lies in a page below it"
        raise refusal(where, what, _CURE)
    return next(iter(full or pages), None)


def _directories(stream: BinaryIO) -> list[ImageFileDirectory_v2]:
    """Tags of every page in their order."""
    stream.seek(0)
    head = stream.read(16)
    head = head if b"+" in head[:4] else head[:8]
    pages: list[ImageFileDirectory_v2] = []
    place, seen = ImageFileDirectory_v2(head).next, {0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever decodes the page gives them
        while place and place not in seen:
            seen.add(place)
            pages.append(ImageFileDirectory_v2(head))
            stream.seek(place)
            pages[-1].load(stream)
            place = pages[-1].next
    return pages


def _is_reduced(tags: Mapping[int, Any]) -> bool:
    reduced = int(tags.get(_SUBFILE, 0)) & _REDUCED
    return bool(reduced) or tags.get(_OLD_SUBFILE) == _OLD_REDUCED


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


def decode_tiff(stream: BinaryIO, where: object, page: Page) -> Deep:
    """Decode an uncompressed page, and turn it upright.

    Args:
        stream: the file.
        where: how errors name it.
        page: as :func:`full_page` gives it.

    Raises:
        DataError: a form that is not read, too large, or too short.
        Exception: what Pillow raises over malformed tags.
    """
    stream.seek(0)
    form = _form(page.tags, stream.read(2) == b"MM", where)
    check_size(where, width=form.width, height=form.height)
    values = _unpacked(_rows(stream, page.tags, form, where), form)
    turn = _TURNS[page.orientation]
    if form.samples == 1:
        white_is_zero = form.photometric == _WHITE_IS_ZERO
        return Deep(np.ascontiguousarray(turn(values)), form.bits, white_is_zero, page)
    planes = values.reshape(form.samples, form.height, form.width)
    # The upper half, which is what Pillow keeps of colour that is stored pixel by pixel.
    colour = turn(np.moveaxis(planes >> 8, 0, -1).astype(np.uint8))
    return Deep(np.ascontiguousarray(colour), 8, False, page)


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
