from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from medistill.evaluate.curves import GRID, precision_recall, roc
from medistill.evaluate.ranking import binary_auroc


@pytest.mark.parametrize("decimals", [None, 1])
def test_roc_passes_through_scikit_learns_points(simulate, decimals):
    table = simulate(images=401, groups=401, decimals=decimals)
    curve = roc(table, 1)
    false, true, _ = roc_curve(table.labels == 1, table.probabilities[:, 1])
    upper = np.array([true[false <= x + 1e-12].max() for x in GRID])
    if decimals is None:
        np.testing.assert_allclose(curve["sensitivity"], upper, atol=0.02)
    area = np.trapezoid(curve["sensitivity"], curve["false_positive_rate"])
    exact = binary_auroc(table.labels == 1, table.probabilities[:, 1])
    assert area == pytest.approx(float(exact), abs=0.005)


def test_precision_is_that_of_the_first_threshold_reaching_the_recall(simulate):
    table = simulate(images=200, groups=200)
    curve = precision_recall(table, 1)
    precision, recall, _ = precision_recall_curve(table.labels == 1, table.probabilities[:, 1])
    for at, found in zip(curve["recall"], curve["precision"], strict=True):
        reaching = np.flatnonzero(recall >= max(at, 1e-9) - 1e-12)
        assert found == pytest.approx(precision[reaching[-1]], abs=1e-4)


def test_folds_are_averaged_vertically(simulate):
    table = simulate(images=300, groups=300, folds=2)
    curve = roc(table, 1)
    areas = [binary_auroc(table.labels[r] == 1, table.probabilities[r, 1]) for r in table.fold_rows]
    area = np.trapezoid(curve["sensitivity"], curve["false_positive_rate"])
    assert area == pytest.approx(float(np.mean(areas)), abs=0.01)


def test_absent_class_has_no_curve(simulate):
    table = simulate(classes=3)
    object.__setattr__(table, "labels", np.zeros(len(table), dtype=np.int64))
    assert roc(table, 1) is None
    assert precision_recall(table, 0) is None


def test_ties_are_one_threshold(simulate):
    table = simulate(images=60, groups=60)
    table.probabilities[:] = 0.5
    curve = roc(table, 1)
    np.testing.assert_allclose(curve["sensitivity"], GRID, atol=1e-4)
    share = (table.labels == 1).mean()
    np.testing.assert_allclose(precision_recall(table, 1)["precision"], share, atol=1e-4)
