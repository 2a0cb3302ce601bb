"""Metrics of labels, against scikit-learn label by label."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    recall_score,
    roc_auc_score,
)

from medistill.evaluate.label_metrics import NO_LABEL, label_metrics
from tests.unit.evaluate.label_tables import label_table

TABLE = label_table()
WEIGHTS = np.random.default_rng(5).integers(0, 3, size=(4, len(TABLE))).astype(float)


def known(column: int, weights: np.ndarray):
    rows = np.isfinite(TABLE.labels[:, column])
    return TABLE.labels[rows, column], TABLE.probabilities[rows, column], weights[rows]


EXPECTED = {
    "class_auroc": lambda y, p, w: roc_auc_score(y, p, sample_weight=w),
    "class_average_precision": lambda y, p, w: average_precision_score(y, p, sample_weight=w),
    "sensitivity": lambda y, p, w: recall_score(y, p >= 0.5, sample_weight=w),
    "specificity": lambda y, p, w: recall_score(y, p >= 0.5, pos_label=0, sample_weight=w),
    "f1": lambda y, p, w: f1_score(y, p >= 0.5, sample_weight=w),
    "auroc": lambda y, p, w: roc_auc_score(y, p, sample_weight=w),
    "average_precision": lambda y, p, w: average_precision_score(y, p, sample_weight=w),
    "brier": lambda y, p, w: brier_score_loss(y, p, sample_weight=w),
    "log_loss": lambda y, p, w: log_loss(y, p, sample_weight=w),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_scikit_learn_gives_the_same_under_any_weights(name: str) -> None:
    metric = TABLE.metrics[name]
    found = metric.function(TABLE.labels, TABLE.probabilities, WEIGHTS)
    for row, weights in enumerate(WEIGHTS):
        each = [EXPECTED[name](*known(column, weights)) for column in (0, 1)]
        if metric.per_class:
            assert found[row, :2] == pytest.approx(each)
        else:
            assert found[row] == pytest.approx(np.mean(each))


def test_calibration_error_is_the_mean_of_the_labels_own() -> None:
    from torch import tensor
    from torchmetrics.functional.classification import binary_calibration_error

    each = []
    for column in TABLE.counted:
        y, p, _ = known(column, np.ones(len(TABLE)))
        each.append(binary_calibration_error(tensor(p), tensor(y).int(), n_bins=15).item())
    found = TABLE.metrics["calibration_error"].function(TABLE.labels, TABLE.probabilities, None)
    assert found == pytest.approx(np.mean(each), abs=1e-6)


def test_without_a_label_that_counts_there_is_no_mean_and_a_reason() -> None:
    metrics = label_metrics(())
    for name in ("auroc", "brier", "calibration_error"):
        assert np.isnan(metrics[name].function(TABLE.labels, TABLE.probabilities, None))
        assert metrics[name].undefined == NO_LABEL
