"""The scores by which a checkpoint is chosen on *select*."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

_FLOOR = 1e-12


def selection_scores(
    labels: NDArray[np.float32], probabilities: NDArray[np.float64]
) -> Mapping[str, float]:
    """AUROC and log loss of predictions.

    Args:
        labels: (N, C) one-hot.
        probabilities: (N, C), rows summing to 1.

    Returns:
        ``auroc``: of class 1 for two classes, else the mean over classes, each against the rest;
        ``loss``: mean negative log probability of the true class, in nats.
    """
    truth = labels.argmax(axis=1)
    if labels.shape[1] == 2:
        auroc = roc_auc_score(truth, probabilities[:, 1])
    else:
        auroc = roc_auc_score(labels, probabilities, average="macro")
    chosen = probabilities[np.arange(len(truth)), truth]
    return {"auroc": float(auroc), "loss": float(-np.log(np.maximum(chosen, _FLOOR)).mean())}
