"""Images decoded once: one flat file of 16-bit pixels beside an index. Torch-free."""

from __future__ import annotations

import functools
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from medistill.core.errors import NO_ROOM, DataError
from medistill.core.files import read_json, sha256_json, write_json
from medistill.core.types import ImageSet, Sample
from medistill.data.labels import plain_label
from medistill.data.processes import Place, in_order, piece_size
from medistill.data.rows import Piece, Stored, stored_piece, write_stored
from medistill.imaging.resize import Channels

_FORMAT = "medistill-store-1"
_PIXELS, _INDEX = "pixels.bin", "index.json"
_NAMED_FAULTS = 5
_COPIED_BYTES = 2**16


@dataclass(frozen=True)
class _Row:
    """One image of the index; ``offset`` counts 16-bit values from the start of the file."""

    name: str
    hash: str
    shape: tuple[int, ...]
    offset: int


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
        self._rows = tuple(_Row(n, h, tuple(s), o) for n, h, s, o in index["rows"])
        self.names = tuple(row.name for row in self._rows)
        self.hashes = tuple(row.hash for row in self._rows)
        _check_length(folder, self._rows)
        self._pixels: Stored = np.memmap(folder / _PIXELS, dtype="<u2", mode="r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> Stored:
        """Read-only uint16 view of shape (H, W) or (H, W, 3); nothing is copied."""
        entry = self._rows[row]
        flat = self._pixels[entry.offset : entry.offset + int(np.prod(entry.shape))]
        return flat.reshape(entry.shape)

    def __reduce__(self) -> tuple[Callable[[Path], Store], tuple[Path]]:
        # A loader's worker opens the file again; pickling the map would copy every pixel.
        return open_store, (self.folder,)


def open_store(folder: Path) -> Store:
    """Open a store that :func:`build_store` wrote.

    Raises:
        DataError: the folder is missing, not a store, or damaged.
    """
    return Store(folder)


def build_store(
    images: ImageSet,
    folder: Path,
    *,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
    skip_unreadable: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 0,
) -> Store:
    """Decode every image once into ``folder``, which appears whole or not at all.

    Memory holds a few images at a time, however many there are, and the bytes written do not depend
    on ``workers``. Rows follow ``images.samples`` without the skipped ones (:func:`stored_images`
    gives the set that matches).

    Args:
        images: what to decode.
        folder: where to write; an older store there is replaced, anything else is refused.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
        skip_unreadable: leave out images that cannot be read instead of failing.
        progress: called with (done, total) after every few images.
        workers: processes that decode (spawned: guard your script's ``__main__``); 0 decodes here.

    Raises:
        DataError: images are unreadable (counted, the first ones named), none is left, the disk is
            full, or ``folder`` holds something else.
    """
    _refuse_foreign(folder)
    with _beside(folder) as partial:
        form = {"stored_size": stored_size, "channels": channels, "window": window}
        with (partial / _PIXELS).open("wb") as stream:
            act = functools.partial(_act(workers, stream, partial), **form)
            pieces = in_order(_tasks(images.samples, workers), act, workers=workers)
            rows, skipped = _append_all(stream, pieces, images.samples, progress)
            os.fsync(stream.fileno())
        _check_skipped(images, skipped, allowed=skip_unreadable, left=len(rows))
        kept = _without(images, {name for name, _ in skipped})
        write_json(
            partial / _INDEX,
            {
                "format": _FORMAT,
                "stored_size": stored_size,
                "channels": channels,
                "data_hash": _data_hash(kept, rows),
                "skipped": skipped,
                "rows": [(row.name, row.hash, row.shape, row.offset) for row in rows],
            },
        )
        _swap_in(partial, folder)
    return open_store(folder)


def stored_images(images: ImageSet, store: Store) -> ImageSet:
    """The set without the images that the store skipped: its rows are the store's rows.

    Raises:
        DataError: the store was built from other images.
    """
    kept = _without(images, {name for name, _ in store.skipped})
    if tuple(sample.name for sample in kept.samples) != store.names:
        raise DataError(
            where=store.folder,
            what=f"holds other images than {images.root}",
            cure="Build the store again from this data.",
        )
    return kept


def _act(workers: int, stream: BinaryIO, folder: Path) -> Callable[..., Piece]:
    """What is done with a task: a process writes to a file of its own, which costs a copy."""
    if workers:
        return functools.partial(stored_piece, folder=folder)
    return lambda task, **form: Piece(None, write_stored(task[1], stream, **form))


def _tasks(samples: Sequence[Sample], workers: int) -> Iterator[tuple[int, list[Place]]]:
    size = piece_size(len(samples), workers)
    for start in range(0, len(samples), size):
        yield start, [Place.of(sample) for sample in samples[start : start + size]]


def _append_all(
    stream: BinaryIO,
    pieces: Iterator[Piece],
    samples: Sequence[Sample],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[_Row], list[tuple[str, str]]]:
    rows: list[_Row] = []
    skipped: list[tuple[str, str]] = []
    done = offset = 0
    for piece in pieces:
        for sample, row in zip(samples[done : done + len(piece.rows)], piece.rows, strict=True):
            if isinstance(row, str):
                skipped.append((sample.name, row))
            else:
                rows.append(_Row(sample.name, row[0], row[1], offset))
                offset += math.prod(row[1])
        if piece.path is not None:
            with piece.path.open("rb") as written:
                shutil.copyfileobj(written, stream, _COPIED_BYTES)
            piece.path.unlink()
        done += len(piece.rows)
        if progress is not None:
            progress(done, len(samples))
    return rows, skipped


def _data_hash(images: ImageSet, rows: list[_Row]) -> str:
    pairs = [
        (row.hash, plain_label(sample.label))
        for row, sample in zip(rows, images.samples, strict=True)
    ]
    return sha256_json({"task": images.task, "classes": images.classes, "rows": pairs})


def _without(images: ImageSet, names: set[str]) -> ImageSet:
    return replace(images, samples=tuple(s for s in images.samples if s.name not in names))


def _check_skipped(
    images: ImageSet, skipped: list[tuple[str, str]], *, allowed: bool, left: int
) -> None:
    if left and (allowed or not skipped):
        return
    first = "; ".join(f"{name} {reason}" for name, reason in skipped[:_NAMED_FAULTS])
    more = len(skipped) - _NAMED_FAULTS
    cure = "Replace or remove them, or allow unreadable images to be skipped (skip_unreadable)."
    raise DataError(
        where=images.root,
        what=f"{len(skipped)} of {len(images.samples)} images cannot be read: {first}"
        + (f"; and {more} more" if more > 0 else ""),
        cure=cure if left else "Give a folder that holds readable images.",
    )


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A temporary folder next to ``folder``, gone afterwards unless it was renamed."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DataError(
            where=folder,
            what="the disk is full while images are stored",
            cure="Free some space or choose a smaller stored_size, then run again.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and not (folder / _INDEX).is_file():
        raise DataError(
            where=folder,
            what="exists and is not a store of images",
            cure="Choose another folder, or remove this one yourself.",
        )


def _swap_in(partial: Path, folder: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old)


def _checked_index(folder: Path) -> dict[str, Any]:
    try:
        index = dict(read_json(folder / _INDEX))
    except (OSError, ValueError, TypeError):
        raise _damaged(folder, "is not a store of images") from None
    if index.get("format") != _FORMAT:
        raise _damaged(folder, f"is a store of another version ({index.get('format')})")
    return index


def _check_length(folder: Path, rows: tuple[_Row, ...]) -> None:
    path = folder / _PIXELS
    size = path.stat().st_size // 2 if path.is_file() else 0
    expected = rows[-1].offset + int(np.prod(rows[-1].shape))
    if size != expected:
        raise _damaged(folder, f"holds {size} pixel values where {expected} are listed")


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(where=folder, what=what, cure="Build the store again from the images.")
