"""Decodes every image of a set once into a store, with all cores and flat memory. Torch-free."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medistill.core.counting import plural
from medistill.core.errors import NO_ROOM, DataError
from medistill.core.files import sha256_file, sha256_json, write_long_json
from medistill.core.types import ImageSet, Sample
from medistill.data.labels import plain_label
from medistill.data.processes import in_order, piece_size
from medistill.data.reading import Place, Watch
from medistill.data.rows import Piece, lock_of, store_piece
from medistill.data.store import FORMAT, INDEX, PIXELS, Row, Store, open_store, without
from medistill.imaging.resize import Channels

_NAMED_FAULTS = 5


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
    watch: Watch | None = None,
) -> Store:
    """Decode every image once into ``folder``, which appears whole or not at all.

    Memory holds a few images at a time, however many there are. Rows follow ``images.samples``
    without the skipped ones (:func:`stored_images` gives the set that matches), and they are the
    same for any number of ``workers``; where in the file a row's pixels lie is not.

    Args:
        images: what to decode.
        folder: where to write; an older store there is replaced, anything else is refused.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
        skip_unreadable: leave out images that cannot be read instead of failing.
        progress: called with (done, total) after every few images.
        workers: processes that decode (spawned: guard your script's ``__main__``); 0 decodes here.
        watch: who sees each picture besides, so that no file need be decoded again.

    Raises:
        DataError: images are unreadable (counted, the first ones named), none is left, the disk is
            full, or ``folder`` holds something else.
    """
    _refuse_foreign(folder)
    with _beside(folder) as partial:
        form: dict[str, Any] = {"stored_size": stored_size, "channels": channels}
        watcher = None if watch is None else watch.watcher
        pixels = partial / PIXELS
        pixels.touch()
        act = functools.partial(store_piece, path=pixels, watcher=watcher, window=window, **form)
        pieces = in_order(_tasks(images.samples, workers), act, workers=workers)
        rows, skipped = _gathered(_watched(pieces, watch), images.samples, progress)
        _settle(pixels)
        _check_skipped(images, skipped, allowed=skip_unreadable, left=len(rows))
        _write_index(partial / INDEX, images, form, rows, skipped)
        _swap_in(partial, folder)
        del rows  # the store that is opened has its own
    return open_store(folder)


def _tasks(samples: Sequence[Sample], workers: int) -> Iterator[list[Place]]:
    size = piece_size(len(samples), workers)
    for start in range(0, len(samples), size):
        yield [Place.of(sample) for sample in samples[start : start + size]]


def _watched(pieces: Iterator[Piece], watch: Watch | None) -> Iterator[Piece]:
    start = 0
    for piece in pieces:
        if watch is not None:
            watch.keep(slice(start, start + len(piece.rows)), piece.told)
        start += len(piece.rows)
        yield piece


def _gathered(
    pieces: Iterator[Piece],
    samples: Sequence[Sample],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[Row], list[tuple[str, str]]]:
    rows: list[Row] = []
    skipped: list[tuple[str, str]] = []
    done = 0
    for piece in pieces:
        for sample, row in zip(samples[done : done + len(piece.rows)], piece.rows, strict=True):
            if isinstance(row, str):
                skipped.append((sample.name, row))
            else:
                rows.append(Row(sample.name, *row))
        done += len(piece.rows)
        if progress is not None:
            progress(done, len(samples))
    return rows, skipped


def _settle(path: Path) -> None:
    """What was written must be on the disk before its index says so, and nobody adds to it now."""
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())
    lock_of(path).unlink(missing_ok=True)


def _write_index(
    path: Path,
    images: ImageSet,
    form: Mapping[str, object],
    rows: list[Row],
    skipped: list[tuple[str, str]],
) -> None:
    kept = without(images, {name for name, _ in skipped})
    found = {"data_hash": _data_hash(kept, rows), "skipped": skipped}
    write_long_json(path, {"format": FORMAT, **form, **found}, rows=rows)


def _data_hash(images: ImageSet, rows: list[Row]) -> str:
    mask_hash = functools.cache(sha256_file)  # slices of one volume share its label map
    pairs = [
        (row.hash, plain_label(sample.label), *([mask_hash(sample.mask)] if sample.mask else ()))
        for row, sample in zip(rows, images.samples, strict=True)
    ]
    return sha256_json({"task": images.task, "classes": images.classes, "rows": pairs})


def _check_skipped(
    images: ImageSet, skipped: list[tuple[str, str]], *, allowed: bool, left: int
) -> None:
    if left and (allowed or not skipped):
        return
    first = "; ".join(f"{name} {reason}" for name, reason in skipped[:_NAMED_FAULTS])
    more = len(skipped) - _NAMED_FAULTS
    cure = (
        "Replace or remove them, or allow unreadable images to be skipped "
        "(data.skip_unreadable=true; 'evaluate' has --skip-unreadable)."
    )
    raise DataError(
        where=images.root,
        what=f"{len(skipped)} of {plural('image', len(images.samples))} cannot be read: {first}"
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
    if folder.exists() and not (folder / INDEX).is_file():
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
