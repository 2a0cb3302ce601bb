from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from medistill.evaluate.bootstrap import Statistic
from medistill.evaluate.metrics import METRICS
from medistill.evaluate.paired import auroc_swap_scores, sign_flip_p, swap_scores
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.ranking import binary_auroc

SUMS = [
    "auroc",
    "accuracy",
    "balanced_accuracy",
    "brier",
    "log_loss",
    "sensitivity",
    "specificity",
    "class_auroc",
]  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize(("classes", "folds"), [(2, 1), (2, 3), (4, 2)])
def test_scores_add_up_to_the_difference(simulate, name, classes, folds):
    size = {"images": 240, "groups": 48, "classes": classes, "folds": folds, "decimals": 2}
    first, second = simulate(**size, model=1), simulate(**size, model=2)
    statistic = Statistic(function=METRICS[name].function)
    expected = statistic.of(first) - statistic.of(second)
    scores = swap_scores(name, first, second)
    assert len(scores) == 48
    np.testing.assert_allclose(scores.sum(axis=0), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["average_precision", "f1", "calibration_error"])
def test_other_metrics_have_no_scores(simulate, name):
    assert swap_scores(name, simulate(model=1), simulate(model=2)) is None


@pytest.mark.parametrize("name", ["accuracy", "brier", "balanced_accuracy"])
def test_flipping_a_sign_is_swapping_a_group(simulate, name):
    first, second = simulate(classes=3, model=1), simulate(classes=3, model=2)
    signs = np.random.default_rng(3).choice([-1.0, 1.0], size=first.group_count)
    swapped = [_swap(first, second, signs), _swap(second, first, signs)]
    statistic = Statistic(function=METRICS[name].function)
    expected = statistic.of(swapped[0]) - statistic.of(swapped[1])
    assert signs @ swap_scores(name, first, second) == pytest.approx(float(expected))


def _swap(first: Predictions, second: Predictions, signs: np.ndarray) -> Predictions:
    keep = (signs > 0)[first.group_index][:, None]
    return Predictions(
        names=first.names,
        groups=first.groups,
        labels=first.labels,
        probabilities=np.where(keep, first.probabilities, second.probabilities),
    )


def test_auroc_scores_equal_swapping_ranks_by_brute_force():
    random = np.random.default_rng(1)
    truth = np.array([0, 1, 1, 0, 1, 0, 0, 1])
    first, second = np.round(random.random(8), 1), np.round(random.random(8), 1)
    ranks = stats.rankdata(first), stats.rankdata(second)
    scores = auroc_swap_scores(truth, first, second)
    for signs in itertools.product([1, -1], repeat=8):
        keep = np.array(signs) > 0
        one, other = np.where(keep, *ranks), np.where(keep, *ranks[::-1])
        expected = binary_auroc(truth == 1, one) - binary_auroc(truth == 1, other)
        assert np.dot(signs, scores) == pytest.approx(float(expected), abs=1e-12)


def test_p_value_equals_all_sign_vectors():
    scores = np.array([0.5, 0.2, -0.1, 0.4, 0.3, 0.25, 0.05, 0.1])
    signs = np.array(list(itertools.product([1, -1], repeat=8)))
    exact = (np.abs(signs @ scores) >= scores.sum() - 1e-12).mean()
    assert sign_flip_p(scores[:, None], flips=40_000, seed=0)[0] == pytest.approx(exact, abs=0.004)


def test_p_value_of_single_images_is_mcnemars():
    # 12 images only the first model gets right, 4 only the second: exact binomial p.
    scores = np.concatenate([np.ones(12), -np.ones(4), np.zeros(30)])[:, None]
    exact = stats.binomtest(4, 16).pvalue
    assert sign_flip_p(scores, flips=40_000, seed=1)[0] == pytest.approx(exact, abs=0.005)


def test_p_is_uniform_when_models_are_equally_good():
    random = np.random.default_rng(0)
    p = sign_flip_p(random.normal(size=(40, 800)), flips=2000, seed=0)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert p.min() > 0


def test_identical_models_have_p_one_and_undefined_ones_none():
    scores = np.zeros((20, 2))
    scores[0, 1] = np.nan
    p = sign_flip_p(scores, flips=100, seed=0)
    assert p[0] == 1
    assert np.isnan(p[1])


def test_a_group_with_many_images_is_one_flip(simulate):
    first, second = simulate(images=120, groups=30, model=1), simulate(groups=30, model=2)
    assert swap_scores("auroc", first, second).shape == (30,)
    assert swap_scores("sensitivity", first, second).shape == (30, 2)
