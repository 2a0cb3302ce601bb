"""In which order images are shown; any process can recompute it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medistill.data.views import uniforms, view_of_pass

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Order(Protocol):
    """Which rows and views make up the batch of a step."""

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step."""
        ...


@lru_cache(maxsize=8)
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
class Balanced:
    """Endless passes of n images, each row in as many of them on the average as its share says.

    Rows are drawn by systematic sampling (Madow, "On the Theory of Systematic Sampling", 1949): a
    row whose share asks for s shows a pass has s of them rounded down or up, over all passes s. The
    k-th show of a row in pass p is its view of pass p + k.

    Attributes:
        rows: (n,).
        shares: (n,) above 0, of the sum 1.
        batch_size: images a step.
        seed: of all draws.
        views: augmented views an image has.
        repeats: as :class:`Shuffled` has them.
    """

    rows: IntArray
    shares: FloatArray
    batch_size: int
    seed: int
    views: int
    repeats: int = 1

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        positions, again = np.divmod(positions, self.repeats)
        passes, ranks = np.divmod(positions, len(self.rows))
        rows, shows = np.empty_like(passes), np.empty_like(passes)
        for number in range(int(passes[0]), int(passes[-1]) + 1):
            here = passes == number
            rows[here], shows[here] = self._drawn(number, ranks[here])
        return rows, view_of_pass((passes + shows) * self.repeats + again, self.views)

    def _drawn(self, number: int, ranks: IntArray) -> tuple[IntArray, IntArray]:
        """Rows of some ranks of a pass, and how often each was shown in it before."""
        size = len(self.rows)
        order = permutation(self.seed, number, size)
        ends = np.cumsum(self.shares[order])
        key = hashlib.blake2b(f"draw/{self.seed}/{number}".encode(), digest_size=16).digest()
        start = uniforms(int.from_bytes(key, "little"), 1)[0]
        points = (np.arange(size) + start) / size * ends[-1]
        taken = np.searchsorted(ends, points, side="right").clip(max=size - 1)
        # Shuffled anew: the shows of a row lie side by side in the sample.
        places = permutation(self.seed, -1 - number, size)[ranks]
        first = np.searchsorted(taken, taken[places], side="left")
        return self.rows[order[taken[places]]], places - first


@dataclass(frozen=True)
class Plain:
    """View 0 of ``rows``, once and in order."""

    rows: IntArray
    batch_size: int

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows (B,) and view numbers (B,) of a step; the last may be shorter."""
        rows = self.rows[step * self.batch_size : (step + 1) * self.batch_size]
        return rows, np.zeros_like(rows)
