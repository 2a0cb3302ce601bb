"""What each image adds to a difference of two models, for labels that are not exclusive.

As in ``paired``: the sum over images is the difference, and exchanging the models flips its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medistill.evaluate.arrays import Floats, ratio
from medistill.evaluate.grouped import SwapScores
from medistill.evaluate.label_metrics import losses
from medistill.evaluate.paired import auroc_swap_scores

_OfLabel = Callable[[np.ndarray, Floats, Floats], Floats]


def label_swap_scores(name: str, counted: Sequence[int]) -> SwapScores | None:
    """Scores of labels (n, K), probabilities of both models (n, K) by image, or None.

    Args:
        name: of the metric.
        counted: labels over which the means are taken.
    """
    if name in _PER_LABEL:
        return lambda labels, first, second: _columns(_PER_LABEL[name], labels, first, second)
    if name not in _MEANS or not counted:
        return None
    columns = list(counted)

    def mean(labels: np.ndarray, first: Floats, second: Floats) -> Floats:
        chosen = labels[:, columns], first[:, columns], second[:, columns]
        return np.asarray(_columns(_MEANS[name], *chosen).mean(axis=1))

    return mean


def _columns(function: _OfLabel, labels: np.ndarray, first: Floats, second: Floats) -> Floats:
    """Scores of every label; images where it is unknown add nothing to it."""
    found = np.zeros(labels.shape)
    for column in range(labels.shape[1]):
        known = np.isfinite(labels[:, column])
        truth = labels[known, column] == 1
        found[known, column] = function(truth, first[known, column], second[known, column])
    return found


def _auroc(truth: np.ndarray, first: Floats, second: Floats) -> Floats:
    return auroc_swap_scores(truth.astype(np.int64), first, second)


def _sensitivity(truth: np.ndarray, first: Floats, second: Floats) -> Floats:
    gained = (first >= 0.5) * 1.0 - (second >= 0.5)
    return ratio(gained * truth, np.asarray(truth.sum(dtype=np.float64)))


def _specificity(truth: np.ndarray, first: Floats, second: Floats) -> Floats:
    gained = (second >= 0.5) * 1.0 - (first >= 0.5)
    return ratio(gained * ~truth, np.asarray((~truth).sum(dtype=np.float64)))


def _brier(truth: np.ndarray, first: Floats, second: Floats) -> Floats:
    return np.asarray(((first - truth) ** 2 - (second - truth) ** 2) / truth.size)


def _log_loss(truth: np.ndarray, first: Floats, second: Floats) -> Floats:
    return np.asarray((losses(truth, first) - losses(truth, second)) / truth.size)


_PER_LABEL = {"class_auroc": _auroc, "sensitivity": _sensitivity, "specificity": _specificity}
_MEANS = {"auroc": _auroc, "brier": _brier, "log_loss": _log_loss}
