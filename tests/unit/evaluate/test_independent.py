from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from medistill.evaluate.independent import (
    delong_difference,
    delong_p,
    images_are_groups,
    mcnemar_p,
)
from medistill.evaluate.ranking import binary_auroc


def test_mcnemar_equals_statsmodels(simulate):
    first = simulate(images=150, groups=150, classes=3, model=1)
    second = simulate(images=150, groups=150, classes=3, model=2, skill=0.8)
    right = [t.probabilities.argmax(1) == t.labels for t in (first, second)]
    table = [
        [int((right[0] == a)[right[1] == b].sum()) for b in (True, False)] for a in (True, False)
    ]
    assert mcnemar_p(first, second) == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert mcnemar_p(first, first) == 1


def test_delong_equals_the_definition_by_brute_force():
    random = np.random.default_rng(2)
    labels = (random.random(40) < 0.4).astype(np.int64)
    scores = np.round(random.normal(size=(2, 40)) + labels, 1)
    psi = [
        (s[labels == 1][:, None] > s[labels == 0])
        + 0.5 * (s[labels == 1][:, None] == s[labels == 0])
        for s in scores
    ]
    ten = np.cov([p.mean(axis=1) for p in psi])
    one = np.cov([p.mean(axis=0) for p in psi])
    contrast = np.array([1, -1])
    expected = contrast @ (ten / (labels == 1).sum() + one / (labels == 0).sum()) @ contrast
    difference, variance = delong_difference(labels, *scores)
    aurocs = [binary_auroc(labels == 1, s) for s in scores]
    assert difference == pytest.approx(float(aurocs[0] - aurocs[1]))
    assert variance == pytest.approx(expected)


def test_delong_p_is_normal_and_averages_folds(simulate):
    first = simulate(images=200, groups=200, folds=2, model=1)
    second = simulate(images=200, groups=200, folds=2, model=2, skill=1.0)
    parts = [
        delong_difference(first.labels[r], first.probabilities[r, 1], second.probabilities[r, 1])
        for r in first.fold_rows
    ]
    z = np.mean([p[0] for p in parts]) / np.sqrt(sum(p[1] for p in parts) / 4)
    assert delong_p(first, second) == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_delong_is_refused_where_it_has_no_variance(simulate):
    table = simulate(images=50, groups=50)
    assert delong_p(table, table) is None
    assert delong_p(simulate(classes=3), simulate(classes=3, model=1)) is None


def test_only_single_images_are_independent(simulate):
    assert images_are_groups(simulate(images=30, groups=30))
    assert not images_are_groups(simulate(images=60, groups=30))
