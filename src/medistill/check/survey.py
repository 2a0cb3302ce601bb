"""Facts of every image of a set, with all cores and flat memory; a second run reads its cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medistill.check.measure import Measuring, Stored, measured
from medistill.check.records import FactsTable, Records
from medistill.check.shelf import Rows, Shelf
from medistill.core.types import Sample
from medistill.data.processes import in_order, piece_size
from medistill.data.reading import Place, Watch

Progress = Callable[[int, int], None]


class Survey:
    """Facts of samples: those of an earlier one, and those that are noted while files are read.

    Args:
        samples: whose facts.
        cache: folder of the cache, keyed by name, size and time of the file; None for none.
        window: gray scale of CT, or None.
        stored: also hash this stored form.

    Attributes:
        new: rows of the samples that no earlier survey knows, shape (M,).
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        *,
        cache: Path | None = None,
        window: str | None = None,
        stored: Stored | None = None,
    ) -> None:
        form = None if stored is None else [stored.size, stored.channels]
        self._stored = stored
        self._names = [sample.name for sample in samples]
        shelf = Shelf(cache, {"window": window, "stored": form})
        seen = [_seen(sample) for sample in samples]
        keys = np.frombuffer(b"".join(map(_key, samples, seen)), dtype="V16")
        known = shelf.rows_of(keys)
        self.new = np.flatnonzero(known < 0)
        self._held = shelf.held if shelf.is_just(known) else None
        if self._held is None:
            self._book = shelf.opened(keys, known)
            self._book.rows["size_bytes"] = [size for size, _ in seen]

    def note(self, rows: Rows | slice, records: Records) -> None:
        """Put down the facts of some rows, unless all are known already."""
        if self._held is None:
            self._book.write(rows, records)

    def watch(self) -> Watch:
        """Has every picture noted while somebody else reads the samples, in their order."""
        return Watch(functools.partial(Measuring, stored=self._stored), self.note)

    def facts(self) -> FactsTable:
        """Facts by name, in the order of the samples, once all are noted."""
        if self._held is None:
            self._held = self._book.closed()
        return FactsTable(self._names, self._held)


def survey(
    samples: Sequence[Sample],
    *,
    cache: Path | None = None,
    window: str | None = None,
    stored: Stored | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> FactsTable:
    """Read what no earlier survey knows, and give the facts of all.

    Args:
        samples: what to read.
        cache: as of :class:`Survey`.
        window: as of :class:`Survey`.
        stored: as of :class:`Survey`.
        workers: processes; 0 reads here.
        progress: called with (done, total).

    Returns:
        Facts by name, in the order of the samples.
    """
    found = Survey(samples, cache=cache, window=window, stored=stored)
    done = len(samples) - len(found.new)
    _tell(progress, done, len(samples))
    for rows, records in _computed(samples, found.new, workers, window=window, stored=stored):
        found.note(rows, records)
        done += len(rows)
        _tell(progress, done, len(samples))
    return found.facts()


def _computed(
    samples: Sequence[Sample], rows: Rows, workers: int, **options: Any
) -> Iterator[tuple[Rows, Records]]:
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
