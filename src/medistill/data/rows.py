"""Stored forms of many images: what a process makes of its share of a set. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from medistill.core.files import sha256_bytes
from medistill.data.reading import Place, Read, Watcher, batches
from medistill.imaging.resize import Channels, to_stored

Stored = NDArray[np.uint16]
# Small pictures are written many at a time.
_BUFFER = 2**20
# Seconds between two looks whether another process has let go of a lock that is held for some
# microseconds.
_POLL = 0.0005

#: Content hash, shape and offset of an image, or the reason why it has no pixels.
Row = tuple[str, tuple[int, ...], int] | str


@dataclass(frozen=True)
class Piece:
    """Images that one process has stored.

    Attributes:
        rows: one an image; offsets count 16-bit values from the start of the file.
        told: what the watcher of these images said, if there was one.
    """

    rows: list[Row]
    told: Any = None


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
    seeing = None if watcher is None else watcher(len(places))
    for read in batches(places, window):
        if seeing is not None:
            seeing.see(read)
        stored = [_stored(seen, stored_size, channels) for seen in read]
        rows += _appended(path, stored)
        del read, stored  # before the next come
    return Piece(rows, None if seeing is None else seeing.told())


def _appended(path: Path, stored: Sequence[Stored | str]) -> list[Row]:
    whole = [image for image in stored if not isinstance(image, str)]
    at = start = _reserved(path, sum(image.nbytes for image in whole))
    with path.open("r+b", buffering=_BUFFER) as stream:
        stream.seek(start)
        stream.writelines(image.data for image in whole)
    rows: list[Row] = []
    for image in stored:
        if isinstance(image, str):
            rows.append(image)
        else:
            rows.append((content_hash(image), image.shape, at // image.itemsize))
            at += image.nbytes
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


def _stored(read: Read, stored_size: int, channels: Channels) -> Stored | str:
    if isinstance(read, str):
        return read
    return np.ascontiguousarray(
        to_stored(read, stored_size=stored_size, channels=channels), dtype="<u2"
    )


def content_hash(values: Stored) -> str:
    """SHA-256 of the shape and pixels of a stored image, in hexadecimal."""
    shape = "x".join(map(str, values.shape)).encode()
    return sha256_bytes(shape, b":", np.ascontiguousarray(values, dtype="<u2").data)
