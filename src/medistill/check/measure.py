"""Facts of image files, many at a time: each is read once, and only small pictures are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from medistill.check.lettering import letters
from medistill.check.records import RECORD, Records
from medistill.check.reduction import (
    SIDE,
    canonical,
    eight_bit_gray,
    looks_of,
    small_pictures,
)
from medistill.core.errors import DataError
from medistill.data.perceptual import low_frequency_bits
from medistill.data.processes import Place
from medistill.data.rows import content_hash
from medistill.imaging.picture import Picture
from medistill.imaging.resize import to_stored

_LARGEST, _WHITE = 512, 255
_ONE_OF_MANY = re.compile(r"\b(slice|frame) \d+( of \d+)?")
#: Pixels that are held at once, or one picture.
_AT_ONCE = 2**20


@dataclass(frozen=True)
class Stored:
    """Form in which a teacher's data were stored, so that its content hashes can be compared.

    Attributes:
        size: short side in pixels.
        channels: ``gray`` or ``rgb``.
    """

    size: int
    channels: Any


def measured(
    places: Sequence[Place], *, window: str | None = None, stored: Stored | None = None
) -> Records:
    """Facts of images; one that cannot be read has a problem instead.

    Args:
        places: the images.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
    """
    found = np.zeros(len(places), dtype=RECORD)
    small = np.zeros((len(places), SIDE, SIDE), dtype=np.uint8)
    texts: list[str] = []
    noted: list[_Noted] = []
    for read in _batches(places, window):
        pictures = [picture for picture in read if isinstance(picture, Picture)]
        grays = [eight_bit_gray(picture) for picture in pictures]
        seen = iter([_note(*pair, stored) for pair in zip(pictures, grays, strict=True)])
        told = [isinstance(picture, Picture) for picture in read]
        rows = slice(len(texts), len(texts) + len(read))
        small[rows][told] = small_pictures(grays)
        found["unreadable"][rows] = np.logical_not(told)
        noted += [next(seen) if readable else _NOTHING for readable in told]
        texts += [_kind(p.history[0]) if isinstance(p, Picture) else p for p in read]
    # Column by column: to set one value of a row costs as much as to set all of a column.
    for name, column in zip(_Noted._fields, zip(*noted, strict=True), strict=True):
        found[name] = column
    _note_looks(found, small)
    return Records.of(found, texts)


def _batches(places: Sequence[Place], window: str | None) -> Iterator[list[Picture | str]]:
    """Pictures in order, or why they cannot be read: several small ones, or a large one, at a time.

    What is done with one picture after the other, step by step, finds code and tables in the
    processor's cache: with small pictures that is half of the time.
    """
    held: list[Picture | str] = []
    pixels = 0
    for place in places:
        try:
            picture = place.read(window)
        except DataError as error:
            held.append(error.what)
            continue
        held.append(picture)
        pixels += picture.shape[0] * picture.shape[1]
        if pixels >= _AT_ONCE:
            yield held
            held, pixels = [], 0
    if held:
        yield held


class _Noted(NamedTuple):
    """What needs every pixel, by the names of ``RECORD``."""

    height: int
    width: int
    white: float
    letters: int
    content: bytes
    stored: bytes


_NOTHING = _Noted(0, 0, 0.0, 0, bytes(16), bytes(32))


def _note(picture: Picture, gray: NDArray[np.uint8], stored: Stored | None) -> _Noted:
    height, width = gray.shape
    step = -(-max(height, width) // _LARGEST)
    # Nearest neighbours: letters stay sharp.
    signs = letters(gray[::step, ::step] if step > 1 else gray)
    white = round(int(np.count_nonzero(gray == _WHITE)) / gray.size, 4)
    held = _NOTHING.stored if stored is None else _stored_hash(picture, stored)
    return _Noted(height, width, white, signs, _content(picture), held)


def _stored_hash(picture: Picture, stored: Stored) -> bytes:
    kept = to_stored(picture, stored_size=stored.size, channels=stored.channels)
    return bytes.fromhex(content_hash(kept))


def _content(picture: Picture) -> bytes:
    """Of the pixels whatever the format: a re-encoded copy without loss has the same."""
    values = np.ascontiguousarray(canonical(picture))
    found = xxhash.xxh3_128(f"{values.dtype.char} {values.shape}".encode())
    found.update(values.data)
    return found.digest()


def _note_looks(found: NDArray[np.void], small: NDArray[np.uint8]) -> None:
    looks = looks_of(small)
    found["bits"] = low_frequency_bits(small)
    found["thumb"], found["look"] = looks.thumbs, looks.looks
    for name in ("low", "high", "mean", "corners", "edges"):
        found[name] = getattr(looks, name)


def _kind(line: str) -> str:
    """Format and mode, without the size and without which of several frames or slices it is."""
    words = _ONE_OF_MANY.sub("", line).replace(",", "").split()
    return " ".join(word for word in words if "x" not in word)
