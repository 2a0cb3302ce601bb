"""AUROC of several labels, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medistill.evaluate.label_measures import (
    auroc,
    auroc_measure,
    counted_labels,
    positive_groups,
)

RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random((60, 3)) < [0.5, 0.3, 0.05]).astype(float)
SCORES = np.round(RANDOM.random((60, 3)), 1)  # with ties
GROUPS = [f"patient-{i // 2}" for i in range(60)]


def test_scikit_learn_gives_the_same() -> None:
    for column in range(2):
        expected = roc_auc_score(LABELS[:, column], SCORES[:, column])
        assert auroc(LABELS[:, column], SCORES[:, column]) == pytest.approx(expected)


def test_unknown_labels_are_left_out() -> None:
    some = LABELS[:, 0].copy()
    some[:20] = np.nan
    assert auroc(some, SCORES[:, 0]) == pytest.approx(auroc(LABELS[20:, 0], SCORES[20:, 0]))
    assert np.isnan(auroc(np.ones(4), np.ones(4)))


def test_labels_of_few_positive_groups_are_not_judged() -> None:
    held = positive_groups(LABELS, GROUPS)
    assert held[0] == len({g for g, y in zip(GROUPS, LABELS[:, 0], strict=True) if y == 1})
    assert held[2] < 10
    assert counted_labels(LABELS, GROUPS) == [0, 1]


def test_the_mean_comes_first() -> None:
    found = auroc_measure(LABELS, SCORES, [0, 1])(np.arange(60))
    assert found[0] == pytest.approx(found[1:].mean())
    assert found[2] == pytest.approx(auroc(LABELS[:, 1], SCORES[:, 1]))
