"""Stored forms of many images: what a process makes of its share of a set. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from medistill.core.files import sha256_bytes
from medistill.data.reading import Place, Read, Watcher, batches
from medistill.imaging.resize import Channels, to_stored

Stored = NDArray[np.uint16]
#: Small pictures are written many at a time.
BUFFER = 2**20

#: Content hash and shape of an image, or the reason why it has no pixels.
Row = tuple[str, tuple[int, ...]] | str


@dataclass(frozen=True)
class Piece:
    """Images that one process has stored.

    Attributes:
        path: file of their pixels, one after the other; None where they went to their place.
        rows: one an image.
        told: what the watcher of these images said, if there was one.
    """

    path: Path | None
    rows: list[Row]
    told: Any = None


def stored_piece(places: Sequence[Place], *, path: Path, **options: Any) -> Piece:
    """Read images and write their stored pixels to a file of their own.

    Args:
        places: the images.
        path: the file.
        options: as of :func:`write_stored`.
    """
    with path.open("wb", buffering=BUFFER) as stream:
        rows, told = write_stored(places, stream, **options)
    return Piece(path, rows, told)


def write_stored(
    places: Sequence[Place],
    stream: BinaryIO,
    *,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
    watcher: Callable[[int], Watcher] | None = None,
) -> tuple[list[Row], Any]:
    """Read images and write their stored pixels, little-endian.

    Args:
        places: the images.
        stream: where the pixels go.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
        watcher: makes who sees every picture before it is stored, or None.

    Returns:
        A row an image, and what the watcher told.
    """
    rows: list[Row] = []
    seeing = None if watcher is None else watcher(len(places))
    for read in batches(places, window):
        if seeing is not None:
            seeing.see(read)
        stored = [_stored(seen, stored_size, channels) for seen in read]
        rows += [s if isinstance(s, str) else (content_hash(s), s.shape) for s in stored]
        stream.writelines(s.data for s in stored if not isinstance(s, str))
        del read, stored  # before the next come
    return rows, None if seeing is None else seeing.told()


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
