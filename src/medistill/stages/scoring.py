"""The scores by which a checkpoint is chosen on *select*."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from medistill.core.types import Task

_FLOOR = 1e-12


def selection_scores(
    labels: NDArray[np.float32], probabilities: NDArray[np.float64], task: Task = "single-label"
) -> Mapping[str, float]:
    """AUROC and log loss of predictions.

    Args:
        labels: (N, C) one-hot; multi-label: 0, 1, or NaN where unknown.
        probabilities: (N, C), rows summing to 1; multi-label: each label's own.
        task: ``single-label`` or ``multi-label``.

    Returns:
        ``auroc``: of class 1 for two classes, else the mean over classes, each against the rest;
        ``loss``: mean negative log probability of the true class, in nats. Multi-label: mean
        AUROC of the labels that have both a yes and a no (NaN where none has), each weighted by
        the inverse of its variance where scores are chance (Hanley and McNeil, Radiology 143(1),
        1982), so that a label with one yes does not choose; ``loss`` the sum over an image's
        known labels, averaged over images.
    """
    if task == "multi-label":
        return _several(labels, probabilities)
    truth = labels.argmax(axis=1)
    if labels.shape[1] == 2:
        auroc = roc_auc_score(truth, probabilities[:, 1])
    else:
        auroc = roc_auc_score(labels, probabilities, average="macro")
    chosen = probabilities[np.arange(len(truth)), truth]
    return {"auroc": float(auroc), "loss": float(-np.log(np.maximum(chosen, _FLOOR)).mean())}


def _several(
    labels: NDArray[np.float32], probabilities: NDArray[np.float64]
) -> Mapping[str, float]:
    known = ~np.isnan(labels)
    columns = [(labels[rows, k], probabilities[rows, k]) for k, rows in enumerate(known.T)]
    judged = [each for each in columns if len(np.unique(each[0])) == 2]
    aurocs = [roc_auc_score(*each) for each in judged]
    weights = [_certainty(truth) for truth, _ in judged]
    truth = np.where(known, labels, 0)
    sure = np.where(truth == 1, probabilities, 1 - probabilities)
    each = np.where(known, -np.log(np.maximum(sure, _FLOOR)), 0).sum(axis=1)
    counted = each[known.any(axis=1)]
    return {
        "auroc": float(np.average(aurocs, weights=weights)) if aurocs else float("nan"),
        "loss": float(counted.mean()) if len(counted) else float("nan"),
    }


def _certainty(truth: NDArray[np.float32]) -> float:
    """Inverse variance of the AUROC of scores that are chance, for n yes and m no."""
    yes = float(truth.sum())
    no = len(truth) - yes
    return 12 * yes * no / (yes + no + 1)
