"""Shares and means over images, with intervals that resample whole groups.

A share is a quotient of two sums over groups, so thousands of resamples are one product of
matrices; a metric that is no such quotient goes through ``bootstrap``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.evaluate.arrays import Floats, Ints, ratio
from medistill.evaluate.intervals import Estimate, Scale, Support, estimate_with_interval

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Which images belong together, and how often each group was drawn.

    Attributes:
        index: group of each image, shape (N,).
        counts: shape (R, G).
        word: what a group is called.
    """

    index: Ints
    counts: Floats
    word: str


def clusters(
    groups: Sequence[str], *, word: str, resamples: int = RESAMPLES, seed: int = 0
) -> Clusters:
    """Draw R times as many groups as there are, with replacement; a pure function of the seed."""
    index = np.unique(np.asarray(list(groups), dtype=str), return_inverse=True)[1]
    number = int(index.max(initial=-1)) + 1
    random = np.random.Generator(np.random.Philox(key=seed))
    counts = random.multinomial(number, np.full(number, 1 / max(number, 1)), size=resamples)
    return Clusters(index=index.astype(np.int64), counts=counts.astype(np.float64), word=word)


def share(held: NDArray[np.bool_], among: NDArray[np.bool_] | None, drawn: Clusters) -> Estimate:
    """How many of some images have a property, in [0, 1].

    Args:
        held: shape (N,).
        among: which images count, shape (N,); None for all.
        drawn: groups of the images.
    """
    return mean(held.astype(np.float64), among, drawn, scale="share")


def mean(
    values: Floats, among: NDArray[np.bool_] | None, drawn: Clusters, *, scale: Scale = "unit"
) -> Estimate:
    """Mean of a value of each image; images whose value is NaN do not count.

    Args:
        values: shape (N,).
        among: which images count, shape (N,); None for all.
        drawn: groups of the images.
        scale: range of the values.
    """
    counted = np.isfinite(values) if among is None else among & np.isfinite(values)
    groups = drawn.counts.shape[1]
    total = np.bincount(drawn.index, np.where(counted, values, 0.0), minlength=groups)
    number = np.bincount(drawn.index, counted.astype(np.float64), minlength=groups)
    if not number.any():
        return Estimate(estimate=None, reason="there is no such image")
    return estimate_with_interval(
        float(total.sum() / number.sum()),
        ratio(drawn.counts @ total, drawn.counts @ number),
        scale=scale,
        support=Support(
            carriers=int((number > 0).sum()),
            groups=groups,
            folds=1,
            word=drawn.word,
            single=groups == drawn.index.size,
        ),
    )
