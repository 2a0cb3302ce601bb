"""In which order images are shown; any process can recompute it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medistill.data.views import view_of_pass

IntArray = NDArray[np.int64]


class Order(Protocol):
    """Which rows and views make up the batch of a step."""

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step."""
        ...


@lru_cache(maxsize=4)
def permutation(seed: int, number: int, size: int) -> IntArray:
    """The order of pass ``number``: a shuffle of 0..size-1 that depends on the arguments alone.

    Sorting raw Philox words (Salmon et al., SC 2011) keeps the order independent of numpy's
    shuffling algorithm, which numpy reserves the right to change; the words themselves are fixed.
    """
    key = hashlib.blake2b(f"pass/{seed}/{number}".encode(), digest_size=16).digest()
    words = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(size)
    return np.argsort(words, kind="stable").astype(np.int64)


@dataclass(frozen=True)
class Shuffled:
    """Endless passes over ``rows``; position q is rank q mod n of pass q // n.

    With ``repeats`` r, r positions in a row show r successive views of one image, and count as one
    position of r passes.
    """

    rows: IntArray
    batch_size: int
    seed: int
    views: int
    repeats: int = 1

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step."""
        size = len(self.rows)
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        positions, again = np.divmod(positions, self.repeats)
        passes, ranks = np.divmod(positions, size)
        rows, views = np.empty_like(passes), np.empty_like(passes)
        for number in range(int(passes[0]), int(passes[-1]) + 1):
            here = passes == number
            rows[here] = self.rows[permutation(self.seed, number, size)[ranks[here]]]
            views[here] = view_of_pass(number * self.repeats + again[here], self.views)
        return rows, views


@dataclass(frozen=True)
class Plain:
    """View 0 of ``rows``, once and in order."""

    rows: IntArray
    batch_size: int

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step; the last may be shorter."""
        rows = self.rows[step * self.batch_size : (step + 1) * self.batch_size]
        return rows, np.zeros_like(rows)
