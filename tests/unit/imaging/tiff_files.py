"""TIFF files that the tests write by hand (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def tiff(
    data: NDArray[Any],
    *,
    height: int,
    width: int,
    bits: int,
    kind: int = 1,
    photometric: int = 1,
    samples: int = 1,
    planar: int = 1,
    compression: int = 1,
    rows: int | None = None,
    big: bool = False,
    further: Mapping[int, int] | None = None,
    after: bytes = b"",
) -> bytes:
    """A file of one page, or of one more.

    Args:
        data: (planes x height, values or bytes of a row), in the file's order of bytes.
        height: rows of a plane.
        width: pixels of a row.
        bits: BitsPerSample.
        kind: SampleFormat, 1 whole numbers and 3 floats.
        photometric: 0 and 1 gray (zero is white, black), 2 RGB.
        samples: values of a pixel.
        planar: 2 for planes one after the other.
        compression: 1 for none; the data stay as they are.
        rows: rows of a strip; None for all.
        big: whether the file is big-endian.
        further: more tags of one short number each.
        after: a file of the pages before this one, as this function gives it.
    """
    a_strip = rows or height
    planes = samples if planar == 2 else 1
    strips = [
        plane[start : start + a_strip].tobytes()
        for plane in np.split(data, planes)
        for start in range(0, height, a_strip)
    ]
    starts = np.cumsum([len(after) or 8, *(len(strip) for strip in strips)]).tolist()
    tags: dict[int, tuple[int, list[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * samples),
        259: (3, [compression]),
        262: (3, [photometric]),
        273: (4, starts[:-1]),
        277: (3, [samples]),
        278: (4, [a_strip]),
        279: (4, [len(strip) for strip in strips]),
        284: (3, [planar]),
        339: (3, [kind] * samples),
    }
    tags |= {tag: (3, [value]) for tag, value in (further or {}).items()}
    return _file(b"".join(strips), tags, ">" if big else "<", after)


def _file(pixels: bytes, tags: dict[int, tuple[int, list[int]]], order: str, after: bytes) -> bytes:
    """Header, pixels, values of the tags that do not fit into their entries, and the directory."""
    start = len(after) or 8
    entries, beside = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'L'}", *values)
        if len(content) > 4:
            place = start + len(pixels) + len(beside)
            beside, content = beside + content, struct.pack(f"{order}L", place)
        entries += struct.pack(f"{order}HHL", tag, kind, len(values)) + content.ljust(4, b"\0")
    magic = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}H", 42)
    # A directory ends with the place of the next one.
    head = (after[:-4] or magic) + struct.pack(f"{order}L", start + len(pixels) + len(beside))
    count = struct.pack(f"{order}H", len(tags))
    return head + pixels + beside + count + entries + b"\0" * 4


def packed(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Rows of whole numbers without gaps between their bits, the first bit on top."""
    shifts = np.arange(bits - 1, -1, -1)
    digits = (values[..., None] >> shifts & 1).astype(np.uint8)
    return np.packbits(digits.reshape(len(values), -1), axis=1)
