from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.ranking import binary_auroc, binary_average_precision


def test_auroc_counts_pairs_and_half_of_ties():
    truth = np.array([True, True, False, False])
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    # Pairs: .9>.5, .9>.1, .5=.5 (half), .5>.1.
    assert binary_auroc(truth, scores) == pytest.approx(3.5 / 4)


def test_auroc_with_weights_by_hand():
    truth = np.array([True, True, False, False])
    scores = np.array([0.2, 0.6, 0.4, 0.8])
    weights = np.array([[1.0, 3.0, 2.0, 1.0]])
    # Only (.6 over .4) wins: 3 x 2 of (1 + 3) x (2 + 1).
    assert binary_auroc(truth, scores, weights)[0] == pytest.approx(6 / 12)


def test_average_precision_by_hand():
    truth = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    # Recall 1/2 at precision 1, recall 1 at precision 2/3.
    assert binary_average_precision(truth, scores) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_constant_scores_are_guessing():
    truth = np.array([True, False, False])
    scores = np.full(3, 0.4)
    assert binary_auroc(truth, scores) == 0.5
    assert binary_average_precision(truth, scores) == pytest.approx(1 / 3)


def test_order_of_images_does_not_matter():
    random = np.random.default_rng(0)
    truth, scores = random.random(50) < 0.4, np.round(random.random(50), 1)
    weights = random.integers(0, 3, size=(4, 50)) * 1.0
    shuffled = random.permutation(50)
    for function in (binary_auroc, binary_average_precision):
        plain = function(truth, scores, weights)
        moved = function(truth[shuffled], scores[shuffled], weights[:, shuffled])
        np.testing.assert_allclose(plain, moved)


@pytest.mark.parametrize("decimals", [1, 6])
def test_scikit_learn_gives_the_same_with_ties_weights_and_unknown_truth(decimals: int):
    from sklearn.metrics import average_precision_score, roc_auc_score

    random = np.random.default_rng(decimals)
    truth = random.choice([0.0, 1.0, np.nan], size=80)
    scores = np.round(random.random(80), decimals)
    weights = random.integers(0, 3, size=(5, 80)) * 1.0
    known = np.isfinite(truth)
    for function, theirs in (
        (binary_auroc, roc_auc_score),
        (binary_average_precision, average_precision_score),
    ):
        expected = [theirs(truth[known], scores[known], sample_weight=w[known]) for w in weights]
        np.testing.assert_allclose(function(truth, scores, weights), expected)


def test_one_class_alone_has_no_area():
    scores, positive, weights = np.array([0.2, 0.7]), np.ones(2, dtype=bool), np.ones((3, 2))
    assert np.isnan(binary_auroc(positive, scores, weights)).all()
    assert np.isnan(binary_auroc(~positive, scores))
    assert binary_average_precision(positive, scores) == 1.0
    assert np.isnan(binary_average_precision(~positive, scores, weights)).all()
