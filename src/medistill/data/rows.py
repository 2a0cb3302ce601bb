"""Stored forms of many images: what a process makes of its share of a set. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.files import sha256_bytes
from medistill.data.processes import Place
from medistill.imaging.resize import Channels, to_stored

Stored = NDArray[np.uint16]


#: Content hash and shape of an image, or the reason why it has no pixels.
Row = tuple[str, tuple[int, ...]] | str


@dataclass(frozen=True)
class Piece:
    """Images that one process has stored.

    Attributes:
        path: file of their pixels, one after the other; None where they went to their place.
        rows: one an image.
    """

    path: Path | None
    rows: list[Row]


def stored_piece(task: tuple[int, Sequence[Place]], *, folder: Path, **form: Any) -> Piece:
    """Read images and write their stored pixels to a file of their own.

    Args:
        task: number of the piece, and its images.
        folder: where the file goes.
        form: as of :func:`write_stored`.
    """
    number, places = task
    path = folder / f"piece-{number}.bin"
    with path.open("wb") as stream:
        return Piece(path, write_stored(places, stream, **form))


def write_stored(
    places: Sequence[Place],
    stream: BinaryIO,
    *,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
) -> list[Row]:
    """Read images and write their stored pixels, little-endian.

    Args:
        places: the images.
        stream: where the pixels go.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
    """
    rows: list[Row] = []
    for place in places:
        try:
            picture = place.read(window)
        except DataError as error:
            rows.append(error.what)
            continue
        stored = to_stored(picture, stored_size=stored_size, channels=channels)
        data = np.ascontiguousarray(stored, dtype="<u2")
        rows.append((content_hash(data), data.shape))
        stream.write(data.data)
    return rows


def content_hash(values: Stored) -> str:
    """SHA-256 of the shape and pixels of a stored image, in hexadecimal."""
    shape = "x".join(map(str, values.shape)).encode()
    return sha256_bytes(shape, b":", np.ascontiguousarray(values, dtype="<u2").data)
