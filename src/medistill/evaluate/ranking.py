"""Areas under curves, for one weighting or thousands at once: sort once, then cumulate weights.

Truth is True or 1 for positives, False or 0 for negatives, NaN where unknown: such images do not
count. Ties are found by bisection among the sorted scores, so that no weight is looked at twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.evaluate.arrays import Floats, Ints, ratio, weighting

Truth = NDArray[np.bool_] | Floats


def binary_auroc(truth: Truth, scores: Floats, weights: Floats | None = None) -> Floats:
    """Probability that a positive scores above a negative, ties counting half.

    Mann-Whitney form: sum over positives of the negative weight below them plus half of the
    negative weight tied with them, over the product of both weights (Hanley and McNeil 1982,
    Radiology 143:29).

    Args:
        truth: see the head of this file, shape (N,).
        scores: higher means more positive, shape (N,).
        weights: shape (..., N), not negative; None weighs every image 1.

    Returns:
        Shape (...): in [0, 1], NaN where positives or negatives have no weight.
    """
    weighed = weighting(weights, truth.size)
    rows, rest = np.flatnonzero(truth == 1), _ascending(truth == 0, scores)
    positive, negative = weighed[..., rows], _cumulated(weighed, rest)
    lower = np.searchsorted(scores[rest], scores[rows], side="left")
    upper = np.searchsorted(scores[rest], scores[rows], side="right")
    below = negative[..., lower]
    if (lower != upper).any():
        below = (below + negative[..., upper]) / 2
    wins = np.einsum("...p,...p->...", positive, below)
    return ratio(wins, positive.sum(axis=-1) * negative[..., -1])


def binary_average_precision(truth: Truth, scores: Floats, weights: Floats | None = None) -> Floats:
    """Precision averaged over the steps of recall, without interpolation.

    AP = sum over thresholds n of (recall_n - recall_{n-1}) precision_n, as scikit-learn's
    ``average_precision_score``. Shapes as ``binary_auroc``; NaN where positives have no weight.
    """
    weighed, falling = weighting(weights, truth.size), -scores
    rows, rest = (_ascending(truth == answer, falling) for answer in (1, 0))
    positive, negative = weighed[..., rows], _cumulated(weighed, rest)
    # A threshold at a positive's score calls everything tied with it.
    ends = np.searchsorted(falling[rows], falling[rows], side="right") - 1
    found = np.cumsum(positive, axis=-1)[..., ends]
    called = found + negative[..., np.searchsorted(falling[rest], falling[rows], side="right")]
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    hits = np.einsum("...p,...p->...", positive, precision)
    return ratio(hits, positive.sum(axis=-1))


def _ascending(chosen: NDArray[np.bool_], scores: Floats) -> Ints:
    """Row numbers of the chosen images in the order of their scores."""
    rows = np.flatnonzero(chosen)
    return np.asarray(rows[np.argsort(scores[rows], kind="stable")])


def _cumulated(weights: Floats, rows: Ints) -> Floats:
    """Weight of the first 0, 1, ... of some images, shape (..., len(rows) + 1)."""
    sums = np.zeros((*weights.shape[:-1], rows.size + 1))
    np.cumsum(weights[..., rows], axis=-1, out=sums[..., 1:])
    return sums
