"""Classical paired tests that assume independent images: only where each group has one image."""

from __future__ import annotations

import numpy as np
from scipy import stats

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.predictions import Predictions


def images_are_groups(table: Predictions) -> bool:
    """Whether every group holds exactly one image, so that these tests are allowed."""
    return table.group_count == len(table)


def mcnemar_p(first: Predictions, second: Predictions) -> float:
    """Exact two-sided McNemar test of equal accuracy (McNemar 1947, Psychometrika 12:153).

    Among the images that exactly one model classifies rightly, either is as likely to be it:
    a binomial test with probability 1/2. 1 where there is no such image.
    """
    first_right = first.probabilities.argmax(axis=1) == first.labels
    second_right = second.probabilities.argmax(axis=1) == second.labels
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def delong_p(first: Predictions, second: Predictions) -> float | None:
    """Two-sided test of equal AUROC of class 1 (DeLong et al. 1988, Biometrics 44:837).

    With folds, the mean difference over the variance of the mean of independent folds. None for
    more than two classes, a fold with fewer than two images of a class, or no variance.
    """
    if first.classes != 2:
        return None
    parts = [
        delong_difference(
            first.labels[rows], first.probabilities[rows, 1], second.probabilities[rows, 1]
        )
        for rows in first.fold_rows
    ]
    difference = float(np.mean([part[0] for part in parts]))
    variance = float(np.sum([part[1] for part in parts])) / len(parts) ** 2
    if not variance > 0:
        return None
    return float(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


def delong_difference(labels: Ints, first: Floats, second: Floats) -> tuple[float, float]:
    """AUROC(first) - AUROC(second) and its variance by DeLong's components.

    Components from mid-ranks (Sun and Xu 2014, IEEE Signal Processing Letters 21:1389).

    Args:
        labels: 1 for positives, shape (N,).
        first: scores, shape (N,).
        second: scores, shape (N,).

    Returns:
        Difference and variance; NaN where a class has fewer than two images.
    """
    positive = labels == 1
    if min(positive.sum(), (~positive).sum()) < 2:
        return float("nan"), float("nan")
    above = _components(first, positive)[0] - _components(second, positive)[0]
    below = _components(first, positive)[1] - _components(second, positive)[1]
    variance = above.var(ddof=1) / above.size + below.var(ddof=1) / below.size
    return float(above.mean()), float(variance)


def _components(scores: Floats, positive: np.ndarray) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it; for each negative of positives above."""
    own, rest = scores[positive], scores[~positive]
    ranks = stats.rankdata(np.concatenate([own, rest]))
    among_own, among_rest = stats.rankdata(own), stats.rankdata(rest)
    return (
        (ranks[: own.size] - among_own) / rest.size,
        1 - (ranks[own.size :] - among_rest) / own.size,
    )
