"""Facts of image files, many at a time: each is read once, and only small pictures are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
from medistill.data.perceptual import low_frequency_bits
from medistill.data.reading import Place, Read, batches
from medistill.data.rows import content_hash
from medistill.imaging.picture import Picture
from medistill.imaging.resize import to_stored

_WHITE = 255
_ONE_OF_MANY = re.compile(r"\b(slice|frame) \d+( of \d+)?")
Grays = NDArray[np.uint8]


@dataclass(frozen=True)
class Stored:
    """Form in which a teacher's data were stored, so that its content hashes can be compared.

    Attributes:
        size: short side in pixels.
        channels: ``gray`` or ``rgb``.
    """

    size: int
    channels: Any


class Measuring:
    """Notes facts of pictures as they pass; a ``data.reading.Watcher``.

    Args:
        count: how many will pass.
        stored: also hash this stored form.
    """

    def __init__(self, count: int, stored: Stored | None = None) -> None:
        self._stored = stored
        self._small = np.zeros((count, SIDE, SIDE), dtype=np.uint8)
        self._noted: list[_Noted] = []
        self._texts: list[str] = []

    def see(self, pictures: Sequence[Read]) -> None:
        """Note the next pictures; one that cannot be read leaves its problem instead."""
        first = len(self._noted)
        self._noted += [_NOTHING] * len(pictures)
        self._texts += [p if isinstance(p, str) else _kind(p.history[0]) for p in pictures]
        readable = {first + n: p for n, p in enumerate(pictures) if not isinstance(p, str)}
        for rows, seen, grays in _of_one_shape(readable):
            self._small[rows] = small_pictures(grays)
            for row, noted in zip(rows, _notes(seen, grays, self._stored), strict=True):
                self._noted[row] = noted

    def told(self) -> Records:
        """Facts of all, in order."""
        found = np.zeros(len(self._small), dtype=RECORD)
        # Column by column: to set one value of a row costs as much as to set all of a column.
        for name, column in zip(_Noted._fields, zip(*self._noted, strict=True), strict=True):
            found[name] = column
        _note_looks(found, self._small)
        return Records.of(found, self._texts)


def measured(
    places: Sequence[Place], *, window: str | None = None, stored: Stored | None = None
) -> Records:
    """Facts of images; one that cannot be read has a problem instead.

    Args:
        places: the images.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
    """
    measuring = Measuring(len(places), stored)
    for pictures in batches(places, window):
        measuring.see(pictures)
        del pictures  # before the next ones come
    return measuring.told()


class _Noted(NamedTuple):
    """What needs every pixel, by the names of ``RECORD``."""

    height: int
    width: int
    white: float
    letters: int
    content: bytes
    stored: bytes
    unreadable: bool


_NOTHING = _Noted(0, 0, 0.0, 0, bytes(16), bytes(32), unreadable=True)


def _of_one_shape(
    pictures: Mapping[int, Picture],
) -> Iterator[tuple[list[int], list[Picture], Grays]]:
    """Rows of pictures of one shape, the pictures, and their gray, (N, H, W)."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for row, picture in pictures.items():
        alike.setdefault(picture.shape[:2], []).append(row)
    for held in alike.values():
        seen = [pictures[row] for row in held]
        grays = [eight_bit_gray(picture) for picture in seen]
        yield held, seen, np.stack(grays) if grays[1:] else grays[0][None]


def _notes(pictures: Sequence[Picture], grays: Grays, stored: Stored | None) -> Iterator[_Noted]:
    _, height, width = grays.shape
    white = grays == _WHITE
    signs = letters(grays)
    for picture, full, count in zip(pictures, white, signs, strict=True):
        share = round(int(np.count_nonzero(full)) / full.size, 4)
        held = _NOTHING.stored if stored is None else _stored_hash(picture, stored)
        text = max(count, int(picture.burnt_in))
        yield _Noted(height, width, share, text, _content(picture), held, unreadable=False)


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
