"""Stored forms of many images: what a process makes of its share of a set. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from medistill.core.files import sha256_bytes
from medistill.data.reading import Place, Read, Watcher, batches
from medistill.imaging.levels import EIGHT_BITS
from medistill.imaging.resize import Channels, to_stored, unresized_levels

Stored = NDArray[np.uint16]
# Small pictures are written many at a time; what is larger than this is not copied first.
_BUFFER = 2**16
# Bytes that wait for each other, so that their place in the file is asked for once.
_AT_ONCE = 2**22
# Seconds between two looks whether another process has let go of a lock that is held for some
# microseconds.
_POLL = 0.0005

#: Bytes of a 16-bit value, in which the file is counted.
WORD = 2
#: Content hash, shape, offset and bits of an image, or the reason why it has no pixels.
Row = tuple[str, tuple[int, ...], int, int] | str


@dataclass(frozen=True)
class Piece:
    """Images that one process has stored.

    Attributes:
        rows: one an image; offsets count 16-bit values from the start of the file.
        told: what the watcher of these images said, if there was one.
    """

    rows: list[Row]
    told: Any = None


class _Hashed(NamedTuple):
    """Values to be written, and the content hash of the 16 bits that they stand for."""

    values: NDArray[np.uint8] | Stored
    hash: str

    @property
    def words(self) -> int:
        """16-bit values of the file that it takes."""
        return (self.values.nbytes + 1) // WORD

    def parts(self) -> Iterator[memoryview | bytes]:
        """What is written: its values, and a byte where they end within a word."""
        yield self.values.data
        yield bytes(self.values.nbytes % WORD)


def store_piece(
    places: Sequence[Place],
    *,
    path: Path,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
    watcher: Callable[[int], Watcher] | None = None,
) -> Piece:
    """Read images and append their stored pixels, little-endian, to a file that others share.

    Args:
        places: the images.
        path: the file; it exists. Processes may append to it at the same time.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
        watcher: makes who sees every picture before it is stored, or None.
    """
    rows: list[Row] = []
    held: list[_Hashed | str] = []
    seeing = None if watcher is None else watcher(len(places))
    for read in batches(places, window):
        if seeing is not None:
            seeing.see(read)
        held += [_stored(seen, stored_size, channels) for seen in read]
        del read  # before the next come
        if _size(held) >= _AT_ONCE:
            rows += _appended(path, held)
            held = []
    rows += _appended(path, held)
    return Piece(rows, None if seeing is None else seeing.told())


def _size(held: Sequence[_Hashed | str]) -> int:
    return WORD * sum(one.words for one in held if not isinstance(one, str))


def _appended(path: Path, held: Sequence[_Hashed | str]) -> list[Row]:
    start = _reserved(path, _size(held))
    with path.open("r+b", buffering=_BUFFER) as stream:
        stream.seek(start)
        for one in held:
            if not isinstance(one, str):
                stream.writelines(one.parts())
    at = start // WORD
    rows: list[Row] = []
    for one in held:
        if isinstance(one, str):
            rows.append(one)
        else:
            rows.append((one.hash, one.values.shape, at, 8 * one.values.itemsize))
            at += one.words
    return rows


def _reserved(path: Path, size: int) -> int:
    """Make a file longer by so many bytes, and give its length before: they are the caller's."""
    with FileLock(lock_of(path), poll_interval=_POLL):
        start = path.stat().st_size
        os.truncate(path, start + size)
    return start


def lock_of(path: Path) -> Path:
    """The lock of a file that several processes make longer."""
    return path.with_name(f"{path.name}.lock")


def _stored(read: Read, stored_size: int, channels: Channels) -> _Hashed | str:
    """An image in its stored form, hashed while it is in the cache; 8 bits stay 8 on the disk."""
    if isinstance(read, str):
        return read
    same = unresized_levels(read, stored_size=stored_size, channels=channels)
    if same is not None and same.white == EIGHT_BITS:
        kept = np.ascontiguousarray(same.eight_bits())
        return _Hashed(kept, content_hash(same.sixteen_bits()))
    wide = to_stored(read, stored_size=stored_size, channels=channels)
    image = np.ascontiguousarray(wide, dtype="<u2")
    return _Hashed(image, content_hash(image))


def content_hash(values: Stored) -> str:
    """SHA-256 of the shape and pixels of a stored image, in hexadecimal."""
    shape = "x".join(map(str, values.shape)).encode()
    return sha256_bytes(shape, b":", np.ascontiguousarray(values, dtype="<u2").data)
