"""Areas under curves, for one weighting or thousands at once: sort once, then cumulate weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.evaluate.arrays import Floats, ratio, weighting

Truth = NDArray[np.bool_]


def binary_auroc(truth: Truth, scores: Floats, weights: Floats | None = None) -> Floats:
    """Probability that a positive scores above a negative, ties counting half.

    Mann-Whitney form: sum over positives of the negative weight below them plus half of the
    negative weight tied with them, over the product of both weights (Hanley and McNeil 1982,
    Radiology 143:29).

    Args:
        truth: True for positives, shape (N,).
        scores: higher means more positive, shape (N,).
        weights: shape (..., N), not negative; None weighs every image 1.

    Returns:
        Shape (...): in [0, 1], NaN where positives or negatives have no weight.
    """
    positive, negative = _sorted_by_score(truth, scores, weighting(weights, truth.size))
    below = np.cumsum(negative, axis=-1) - negative / 2
    wins = (positive * below).sum(axis=-1)
    return ratio(wins, positive.sum(axis=-1) * negative.sum(axis=-1))


def binary_average_precision(truth: Truth, scores: Floats, weights: Floats | None = None) -> Floats:
    """Precision averaged over the steps of recall, without interpolation.

    AP = sum over thresholds n of (recall_n - recall_{n-1}) precision_n, as scikit-learn's
    ``average_precision_score``. Shapes as ``binary_auroc``; NaN where positives have no weight.
    """
    positive, negative = _sorted_by_score(truth, -scores, weighting(weights, truth.size))
    found = np.cumsum(positive, axis=-1)
    called = found + np.cumsum(negative, axis=-1)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return ratio((positive * precision).sum(axis=-1), found[..., -1])


def _sorted_by_score(truth: Truth, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Positive and negative weight at each distinct score, ascending; each shape (..., T)."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    in_order = weights[..., order]
    positive = in_order * truth[order]
    negative = in_order - positive
    if starts.size == scores.size:
        return positive, negative
    return np.add.reduceat(positive, starts, axis=-1), np.add.reduceat(negative, starts, axis=-1)
