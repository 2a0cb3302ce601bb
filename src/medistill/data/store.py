"""Images decoded once: one flat file of pixels beside an index. Torch-free.

Pixels have 16 bits for whoever asks. What an 8-bit file holds and nothing resized lies in the file
as it is, in half of the room.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medistill.core.errors import DataError
from medistill.core.files import read_json
from medistill.core.types import ImageSet
from medistill.data.rows import WORD, Stored
from medistill.imaging.levels import EIGHT_BITS, Levels
from medistill.imaging.resize import Channels

FORMAT = "medistill-store-2"
#: Of the first one every row has 16 bits, and does not say so.
_READ = ("medistill-store-1", FORMAT)
#: Its files.
PIXELS, INDEX = "pixels.bin", "index.json"


class Row(NamedTuple):
    """One image of the index.

    Attributes:
        name: of its sample.
        hash: its content hash.
        shape: (H, W) or (H, W, 3).
        offset: of its first pixel, in 16-bit words from the start of the file.
        bits: 16, or 8 where each pixel is a 257th of its 16 bits; the last word is full.
    """

    name: str
    hash: str
    shape: tuple[int, ...]
    offset: int
    bits: int = 16

    @property
    def words(self) -> int:
        """16-bit words of the file that it takes."""
        return -(-math.prod(self.shape) * self.bits // 16)


class Store:
    """The decoded images of a set, memory-mapped.

    Attributes:
        folder: where it lies.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        names: ``Sample.name`` of every row.
        hashes: SHA-256 of every row's shape and pixels, in hexadecimal: its content hash.
        skipped: name and reason of every image that could not be read.
        data_hash: hash of all content hashes with their labels, in order.
    """

    def __init__(self, folder: Path) -> None:
        index = _checked_index(folder)
        self.folder = folder
        self.stored_size = int(index["stored_size"])
        self.channels: Channels = index["channels"]
        self.data_hash = str(index["data_hash"])
        self.skipped: tuple[tuple[str, str], ...] = tuple((n, r) for n, r in index["skipped"])
        self._rows = tuple(Row(n, h, tuple(s), *place) for n, h, s, *place in index["rows"])
        self.names = tuple(row.name for row in self._rows)
        self.hashes = tuple(row.hash for row in self._rows)
        _check_length(folder, self._rows)
        self._pixels: Stored = np.memmap(folder / PIXELS, dtype="<u2", mode="r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Stored:
        """Read-only uint16 of shape (H, W) or (H, W, 3), copied only where 8 bits are widened."""
        entry = self._rows[row]
        flat = self._pixels[entry.offset : entry.offset + entry.words]
        if entry.bits == 16:
            return flat.reshape(entry.shape)
        eight = flat.view(np.uint8)[: math.prod(entry.shape)].reshape(entry.shape)
        wide = Levels(eight, EIGHT_BITS).sixteen_bits()
        wide.flags.writeable = False
        return wide

    def __reduce__(self) -> tuple[Callable[[Path], Store], tuple[Path]]:
        # A loader's worker opens the file again; pickling the map would copy every pixel.
        return open_store, (self.folder,)


def open_store(folder: Path) -> Store:
    """Open a store that :func:`medistill.data.storing.build_store` wrote.

    Raises:
        DataError: the folder is missing, not a store, or damaged.
    """
    return Store(folder)


def stored_images(images: ImageSet, store: Store) -> ImageSet:
    """The set without the images that the store skipped: its rows are the store's rows.

    Raises:
        DataError: the store was built from other images.
    """
    kept = without(images, {name for name, _ in store.skipped})
    if tuple(sample.name for sample in kept.samples) != store.names:
        raise DataError(
            where=store.folder,
            what=f"holds other images than {images.root}",
            cure="Build the store again from this data.",
        )
    return kept


def without(images: ImageSet, names: set[str]) -> ImageSet:
    """A set without the images of some names."""
    return replace(images, samples=tuple(s for s in images.samples if s.name not in names))


def _checked_index(folder: Path) -> dict[str, Any]:
    try:
        index = dict(read_json(folder / INDEX))
    except (OSError, ValueError, TypeError):
        raise _damaged(folder, "is not a store of images") from None
    if index.get("format") not in _READ:
        raise _damaged(folder, f"is a store of another version ({index.get('format')})")
    return index


def _check_length(folder: Path, rows: tuple[Row, ...]) -> None:
    path = folder / PIXELS
    size = path.stat().st_size // WORD if path.is_file() else 0
    expected = sum(row.words for row in rows)
    if size != expected:
        raise _damaged(folder, f"holds {size} words of pixels where {expected} are listed")


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(where=folder, what=what, cure="Build the store again from the images.")
