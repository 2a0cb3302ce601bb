"""Stored forms of many images: what a process makes of its share of a set. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.files import sha256_bytes
from medistill.data.processes import Place
from medistill.imaging.resize import Channels, to_stored

Stored = NDArray[np.uint16]


@dataclass(frozen=True)
class Piece:
    """Images that one process has stored.

    Attributes:
        path: file of their pixels, one after the other.
        rows: content hash and shape of each, or the reason why there are no pixels.
    """

    path: Path
    rows: list[tuple[str, tuple[int, ...]] | str]


def stored_piece(
    task: tuple[int, Sequence[Place]],
    *,
    folder: Path,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
) -> Piece:
    """Read images and write their stored pixels to a file, little-endian.

    Args:
        task: number of the piece, and its images.
        folder: where the file goes.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
    """
    number, places = task
    piece = Piece(folder / f"piece-{number}.bin", [])
    with piece.path.open("wb") as stream:
        for place in places:
            try:
                picture = place.read(window)
            except DataError as error:
                piece.rows.append(error.what)
                continue
            stored = to_stored(picture, stored_size=stored_size, channels=channels)
            data = np.ascontiguousarray(stored, dtype="<u2")
            piece.rows.append((content_hash(data), data.shape))
            stream.write(data.data)
    return piece


def content_hash(values: Stored) -> str:
    """SHA-256 of the shape and pixels of a stored image, in hexadecimal."""
    shape = "x".join(map(str, values.shape)).encode()
    return sha256_bytes(shape, b":", np.ascontiguousarray(values, dtype="<u2").data)
