"""Is one model better than another on the same images? A permutation test by sign flips of groups.

If two models are equally good, a group's images could as well carry the two models' names swapped.
The difference of every metric handled here is a sum of one score a group whose sign a swap flips,
so 10,000 swaps are one product of matrices. F1, average precision and the calibration error are
not such sums; they have an interval only.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.stats import rankdata

from medistill.evaluate.arrays import Floats, Ints, ratio
from medistill.evaluate.grouped import SwapScores, Table
from medistill.evaluate.metrics import brier_of_each, log_loss_of_each

FLIPS_IN_MEMORY = 4_000_000


def swap_scores(name: str, first: Table, second: Table) -> Floats | None:
    """What each group adds to metric(first) - metric(second); a swap of the group flips its sign.

    Args:
        name: of the metric.
        first: one model.
        second: the other, on the same images.

    Returns:
        Shape (G,), or (G, C) for the metrics of a class; NaN where undefined; None for a metric
        whose difference is no such sum.
    """
    function = first.swap(name)
    if function is None:
        return None
    pieces = [
        function(first.truth[rows], first.answers[rows], second.answers[rows])
        for rows in first.fold_rows
    ]
    scores = np.zeros((first.group_count, *pieces[0].shape[1:]))
    for rows, piece in zip(first.fold_rows, pieces, strict=True):
        np.add.at(scores, first.group_index[rows], piece / len(pieces))
    return scores


def sign_flip_p(scores: Floats, *, flips: int, seed: int) -> Floats:
    """Two-sided p-values of sums of group scores under random sign flips.

    p = (1 + number of flips at least as extreme) / (1 + flips) (Phipson and Smyth 2010, SAGMB
    9:39), which is never 0.

    Args:
        scores: shape (G, M), one column a hypothesis.
        flips: number of random sign vectors.
        seed: of the signs, which all columns share.

    Returns:
        Shape (M,); NaN for a column that holds NaN.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    observed = np.abs(scores.sum(axis=0))
    tolerance = 1e-9 * np.abs(scores).sum(axis=0)  # equal sums differ by rounding
    extreme = np.zeros(scores.shape[1])
    size = max(1, FLIPS_IN_MEMORY // len(scores))
    for start in range(0, flips, size):
        signs = random.integers(0, 2, size=(min(size, flips - start), len(scores))) * 2.0 - 1.0
        extreme += (np.abs(signs @ scores) >= observed - tolerance).sum(axis=0)
    return np.where(np.isnan(observed), np.nan, (1 + extreme) / (1 + flips))


def auroc_swap_scores(truth: Ints, first: Floats, second: Floats) -> Floats:
    """What each image adds to AUROC(first) - AUROC(second), shape (N,).

    Scores are ranked within each model, then images are swapped between models (Bandos, Rockette
    and Gur 2005, Statistics in Medicine 24:2873). With psi(a, b) = 1, 1/2 or 0 for a above, equal
    to or below b, the swapped difference is linear in the signs: a positive i adds the mean over
    negatives j of half of psi(x_i, x_j) + psi(x_i, y_j) - psi(y_i, x_j) - psi(y_i, y_j), and a
    negative the same with the roles exchanged, x and y being the ranks of the two models.

    Args:
        truth: 1 for positives, shape (N,).
        first: scores of one model, shape (N,).
        second: scores of the other, shape (N,).
    """
    x, y = rankdata(first), rankdata(second)
    positive, negative = np.flatnonzero(truth == 1), np.flatnonzero(truth != 1)
    if not positive.size or not negative.size:
        return np.full(truth.size, np.nan)
    added = np.zeros(truth.size)
    for own, rest, sign in ((positive, negative, 1.0), (negative, positive, -1.0)):
        others = np.sort(np.concatenate([x[rest], y[rest]]))
        gain = _placement(others, x[own]) - _placement(others, y[own])
        added[own] = sign * gain / 2
    return np.asarray(added / (positive.size * negative.size))


def _placement(ordered: Floats, values: Floats) -> Floats:
    """How many of the ordered numbers lie below each value, ties counting half."""
    below = np.searchsorted(ordered, values, side="left")
    return np.asarray((below + np.searchsorted(ordered, values, side="right")) / 2.0)


def _hits(labels: Ints, first: Floats, second: Floats) -> Floats:
    gained = (first.argmax(axis=1) == labels) * 1.0 - (second.argmax(axis=1) == labels)
    return np.asarray(gained)


def _accuracy(labels: Ints, first: Floats, second: Floats) -> Floats:
    return np.asarray(_hits(labels, first, second) / labels.size)


def _sensitivity(labels: Ints, first: Floats, second: Floats) -> Floats:
    members = np.eye(first.shape[1])[labels]
    return ratio(_hits(labels, first, second)[:, None] * members, members.sum(axis=0))


def _specificity(labels: Ints, first: Floats, second: Floats) -> Floats:
    identity = np.eye(first.shape[1])
    others = 1 - identity[labels]
    fewer_alarms = identity[second.argmax(axis=1)] - identity[first.argmax(axis=1)]
    return ratio(fewer_alarms * others, others.sum(axis=0))


def _balanced_accuracy(labels: Ints, first: Floats, second: Floats) -> Floats:
    return np.asarray(_sensitivity(labels, first, second).mean(axis=1))


def _class_auroc(labels: Ints, first: Floats, second: Floats) -> Floats:
    columns = [
        auroc_swap_scores((labels == c).astype(np.int64), first[:, c], second[:, c])
        for c in range(first.shape[1])
    ]
    return np.stack(columns, axis=1)


def _auroc(labels: Ints, first: Floats, second: Floats) -> Floats:
    if first.shape[1] == 2:
        return auroc_swap_scores(labels, first[:, 1], second[:, 1])
    return np.asarray(_class_auroc(labels, first, second).mean(axis=1))


def _brier(labels: Ints, first: Floats, second: Floats) -> Floats:
    return (brier_of_each(labels, first) - brier_of_each(labels, second)) / labels.size


def _log_loss(labels: Ints, first: Floats, second: Floats) -> Floats:
    return (log_loss_of_each(labels, first) - log_loss_of_each(labels, second)) / labels.size


SWAP_SCORES: Mapping[str, SwapScores] = MappingProxyType(
    {
        "auroc": _auroc,
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "brier": _brier,
        "log_loss": _log_loss,
        "sensitivity": _sensitivity,
        "specificity": _specificity,
        "class_auroc": _class_auroc,
    }
)
