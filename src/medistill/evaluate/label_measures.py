"""Measures of several labels an image, with unknown ones left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.measured import Measure

#: A label counts where at least this many groups carry a yes.
FEWEST_POSITIVE_GROUPS = 10


def positive_groups(labels: Floats, groups: Sequence[str]) -> list[int]:
    """Groups with a yes, for each label.

    Args:
        labels: (N, K) with 0, 1, or NaN where unknown.
        groups: group name of each image.
    """
    names = np.asarray(groups)
    return [len(set(names[labels[:, column] == 1])) for column in range(labels.shape[1])]


def counted_labels(labels: Floats, groups: Sequence[str]) -> list[int]:
    """Columns with enough positive groups to be judged, and with a no."""
    enough = positive_groups(labels, groups)
    return [
        column
        for column in range(labels.shape[1])
        if enough[column] >= FEWEST_POSITIVE_GROUPS and (labels[:, column] == 0).any()
    ]


def auroc_measure(labels: Floats, probabilities: Floats, columns: Sequence[int]) -> Measure:
    """Mean AUROC over labels, then the AUROC of each.

    Args:
        labels: (N, K) with 0, 1, or NaN where unknown.
        probabilities: (N, K).
        columns: labels that are judged, at least one.

    Returns:
        From rows to 1 + len(columns) values; NaN where a label has only one answer among them,
        and the mean is over the others.
    """

    def measure(rows: Ints) -> Floats:
        each = np.array([auroc(labels[rows, c], probabilities[rows, c]) for c in columns])
        mean = np.nan if np.isnan(each).all() else np.nanmean(each)
        return np.concatenate([[mean], each])

    return measure


def auroc(truth: Floats, scores: Floats) -> float:
    """Chance that a yes scores above a no (Mann and Whitney, 1947); ties count half.

    Args:
        truth: (n,) with 0, 1, or NaN where unknown.
        scores: (n,).

    Returns:
        NaN without both a yes and a no.
    """
    known = ~np.isnan(truth)
    yes = truth[known] == 1
    positives, negatives = int(yes.sum()), int((~yes).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores[known])
    above = ranks[yes].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))
