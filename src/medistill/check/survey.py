"""Facts of every image of a set, with all cores and flat memory; a second run reads its cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.check.measure import Stored, measured
from medistill.check.records import FactsTable, Records
from medistill.check.shelf import Shelf
from medistill.core.types import Sample
from medistill.data.processes import Place, in_order, piece_size

Progress = Callable[[int, int], None]


def survey(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    window: str | None = None,
    stored: Stored | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> FactsTable:
    """Facts by name, in the order of the samples.

    Args:
        samples: what to read.
        cache: folder of the cache, keyed by name, size and time of the file; None for none.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
        workers: processes; 0 reads here.
        progress: called with (done, total).
    """
    form = None if stored is None else [stored.size, stored.channels]
    shelf = Shelf(cache, {"window": window, "stored": form})
    seen = [_seen(sample) for sample in samples]
    keys = np.frombuffer(b"".join(map(_key, samples, seen)), dtype="V16")
    known = shelf.rows_of(keys)
    names = [sample.name for sample in samples]
    if shelf.is_just(known):
        _tell(progress, len(samples), len(samples))
        return FactsTable(names, shelf.held)
    book = shelf.opened(keys, known)
    book.rows["size_bytes"] = [size for size, _ in seen]
    new = np.flatnonzero(known < 0)
    done = len(samples) - len(new)
    _tell(progress, done, len(samples))
    for rows, records in _computed(samples, new, workers, window=window, stored=stored):
        book.write(rows, records)
        done += len(rows)
        _tell(progress, done, len(samples))
    return FactsTable(names, book.closed())


def _computed(
    samples: Sequence[Sample], rows: NDArray[np.intp], workers: int, **options: Any
) -> Iterator[tuple[NDArray[np.intp], Records]]:
    size = piece_size(len(rows), workers)
    cuts = [rows[start : start + size] for start in range(0, len(rows), size)]
    places = ([Place.of(samples[row]) for row in cut.tolist()] for cut in cuts)
    found = in_order(places, functools.partial(measured, **options), workers=workers)
    return zip(cuts, found, strict=True)


def _seen(sample: Sample) -> tuple[int, int]:
    """Size in bytes and time of the file; -1 where there is none."""
    try:
        status = sample.path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _key(sample: Sample, seen: tuple[int, int]) -> bytes:
    words = f"{sample.path}|{seen}|{sample.frame}|{sample.plane}"
    return hashlib.blake2b(words.encode(errors="surrogateescape"), digest_size=16).digest()


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None and done:
        progress(done, total)
