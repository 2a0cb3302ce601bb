"""PNG of gray or colour and nothing else, decoded at a third of Pillow's time. Torch-free.

kornia-rs decodes in Rust. It gives what the format defines, bit for bit what Pillow gives. Whatever
is not plain, or is damaged, is left to Pillow, whose words then name the fault; Pillow alone would
take pixels whose sum (CRC) is wrong. One sum is not looked at: that of the compressed stream, where
those of all chunks are right.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from os import SEEK_END
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

from kornia_rs import io
from numpy.typing import NDArray

from medistill.imaging.levels import EIGHT_BITS, SIXTEEN_BITS, Levels
from medistill.imaging.picture import Picture, check_size, refusal

_MAGIC = b"\x89PNG\r\n\x1a\n"
#: A chunk's length and kind (PNG, 5.3), before its content and its CRC.
_CHUNK, _CRC = struct.Struct(">I4s"), 4
#: Width, height, bits, colour type, compression, filter, interlace (PNG, 11.2.1).
_HEADER = struct.Struct(">IIBBBBB")
_HEADER_CHUNK = (_HEADER.size, b"IHDR")
_AFTER_HEADER = len(_MAGIC) + _CHUNK.size + _HEADER.size + _CRC
#: Chunks that change no pixel. Texts are looked at: some programs write an orientation there.
_PIXELS = b"IDAT"
_HARMLESS = frozenset({_PIXELS, b"pHYs", b"tIME", b"gAMA", b"cHRM", b"sRGB", b"sBIT"})
_TEXT, _ORIENTED, _LONGEST_TEXT = b"tEXt", (b"Raw profile", b"XML:com.adobe.xmp"), 2**16
#: What a fault of the decoder itself becomes; no Exception, and a class that cannot be imported.
_PANIC = "PanicException"
#: A file beyond this has more pixels than are read, or is not a picture alone; it is held whole.
_LARGEST = 2**28


class _Form(NamedTuple):
    """How pixels of one depth and colour type are decoded."""

    mode: str  # as Pillow calls it
    channels: str  # as kornia-rs calls them
    white: int
    decode: Callable[[bytes, tuple[int, int], str], NDArray[Any]]


#: By bits and colour type: 0 is gray, 2 red, green and blue.
_FORMS: Mapping[tuple[int, int], _Form] = MappingProxyType(
    {
        (8, 0): _Form("L", "mono", EIGHT_BITS, io.decode_image_png_u8),
        (8, 2): _Form("RGB", "rgb", EIGHT_BITS, io.decode_image_png_u8),
        (16, 0): _Form("I;16", "mono", SIXTEEN_BITS, io.decode_image_png_u16),
    }
)


def decode_plain_png(stream: BinaryIO, where: object) -> Picture | None:
    """Decode a PNG file of 8-bit gray or colour, or 16-bit gray, that holds its pixels alone.

    Args:
        stream: the file, positioned at its start; where nothing is decoded it is there again.
        where: how errors name it.

    Returns:
        The picture; None for any other file, for interlaced pixels, palette, transparency, several
        frames or an orientation, and for a file that ends too early.

    Raises:
        DataError: too large, or pixels of any PNG are damaged: their sum is wrong.
    """
    start = stream.tell()
    head = stream.read(len(_MAGIC))
    if head == _MAGIC and stream.seek(0, SEEK_END) - start <= _LARGEST:
        stream.seek(start)
        data = stream.read()
        found = _decoded(data, where)
        if found is not None:
            return found
        _check_sums(data, where)
    stream.seek(start)
    return None


def _decoded(data: bytes, where: object) -> Picture | None:
    if len(data) < _AFTER_HEADER or _CHUNK.unpack_from(data, len(_MAGIC)) != _HEADER_CHUNK:
        return None
    width, height, bits, colour, _, _, interlace = _HEADER.unpack_from(data, len(_MAGIC) + 8)
    form = _FORMS.get((bits, colour))
    if form is None or interlace or not _is_plain(data):
        return None
    check_size(where, width=width, height=height)
    try:
        pixels = form.decode(data, (height, width), form.channels)
    except BaseException as error:
        # Whatever a decoder of foreign bytes raises, Rust's panic too; Pillow says what it is.
        if isinstance(error, Exception) or type(error).__name__ == _PANIC:
            return None
        raise
    values = pixels if colour else pixels[..., 0]
    step = () if bits == 8 else (f"{bits}-bit, white {form.white}",)
    return Picture(Levels(values, form.white), (f"PNG {form.mode} {width}x{height}", *step))


def _is_plain(data: bytes) -> bool:
    """Whether only harmless chunks follow the header, up to the end of the picture."""
    for at, length, kind in _chunks(data):
        if kind == b"IEND":
            return True
        if kind not in _HARMLESS and not _is_note(data, at, length, kind):
            return False
    return False


def _is_note(data: bytes, at: int, length: int, kind: bytes) -> bool:
    """Whether a chunk is a short text that only tells of the picture."""
    return kind == _TEXT and length <= _LONGEST_TEXT and not data.startswith(_ORIENTED, at)


def _check_sums(data: bytes, where: object) -> None:
    for at, length, kind in _chunks(data):
        end = at + length
        held = data[end : end + _CRC]
        if kind == _PIXELS and len(held) == _CRC:
            found = zlib.crc32(memoryview(data)[at - len(kind) : end])
            if found != int.from_bytes(held, "big"):
                raise refusal(where, "is damaged (the checksum of its pixels is wrong)")


def _chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where the content of each chunk after the header begins, its length, and its kind."""
    at = _AFTER_HEADER
    while at + _CHUNK.size + _CRC <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        yield at, length, kind
        at += length + _CRC
