from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from medistill.evaluate import metrics

CASES = [(2, 2), (2, None), (4, 2), (4, None)]  # classes, decimals (2: many ties)


def weights_for(table, rows=3):
    random = np.random.default_rng(5)
    return random.integers(0, 4, size=(rows, len(table))).astype(float) + 0.0


def reference(name, table, weights):
    labels, probabilities = table.labels, table.probabilities
    predicted, classes = probabilities.argmax(1), range(table.classes)
    binary = table.classes == 2
    one_hot = np.eye(table.classes)[labels]
    rows = probabilities / probabilities.sum(1, keepdims=True)
    f1 = sk.f1_score(labels, predicted, labels=classes, average=None, sample_weight=weights)
    specificity = [
        sk.recall_score(labels != c, predicted != c, sample_weight=weights) for c in classes
    ]
    macro = {
        "auroc": lambda: sk.roc_auc_score(
            labels,
            probabilities[:, 1] if binary else probabilities,
            multi_class="ovr",
            sample_weight=weights,
        ),
        "average_precision": lambda: sk.average_precision_score(
            labels if binary else one_hot,
            probabilities[:, 1] if binary else probabilities,
            average="macro",
            sample_weight=weights,
        ),
        "accuracy": lambda: sk.accuracy_score(labels, predicted, sample_weight=weights),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(
            labels, predicted, sample_weight=weights
        ),
        "brier": lambda: np.average(
            ((probabilities - one_hot) ** 2).sum(1) / (2 if binary else 1), weights=weights
        ),
        "log_loss": lambda: sk.log_loss(labels, rows, sample_weight=weights),
        "sensitivity": lambda: sk.recall_score(
            labels, predicted, average=None, sample_weight=weights
        ),
        "specificity": lambda: specificity,
        "f1": lambda: f1,
        "class_auroc": lambda: [
            sk.roc_auc_score(labels == c, probabilities[:, c], sample_weight=weights)
            for c in classes
        ],
    }
    return macro[name]()


@pytest.mark.parametrize("name", [name for name in metrics.METRICS if name != "calibration_error"])
@pytest.mark.parametrize(("classes", "decimals"), CASES)
def test_equals_scikit_learn_under_weights(simulate, name, classes, decimals):
    table = simulate(classes=classes, decimals=decimals)
    weights = weights_for(table)
    ours = metrics.METRICS[name].function(table.labels, table.probabilities, weights)
    theirs = [reference(name, table, row) for row in weights]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize("name", list(metrics.METRICS))
def test_no_weights_are_equal_weights(simulate, name):
    table = simulate(classes=3)
    function = metrics.METRICS[name].function
    ones = np.ones((2, len(table)))
    plain = function(table.labels, table.probabilities, None)
    np.testing.assert_allclose(function(table.labels, table.probabilities, ones)[1], plain)
    assert plain.shape == ((3,) if metrics.METRICS[name].per_class else ())


def test_multiplicities_are_repeated_images(simulate):
    table = simulate(classes=3, decimals=2)
    counts = weights_for(table, rows=1)[0]
    rows = np.repeat(np.arange(len(table)), counts.astype(int))
    for metric in metrics.METRICS.values():
        weighted = metric.function(table.labels, table.probabilities, counts)
        repeated = metric.function(table.labels[rows], table.probabilities[rows], None)
        np.testing.assert_allclose(weighted, repeated, err_msg=metric.name)


def test_brier_of_two_classes_is_scikit_learns(simulate):
    table = simulate()
    expected = sk.brier_score_loss(table.labels, table.probabilities[:, 1])
    assert metrics.brier(table.labels, table.probabilities) == pytest.approx(expected)


def test_hand_counted_confusion():
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]])
    expected = [[2, 1], [1, 1]]  # a tie goes to the first class
    np.testing.assert_array_equal(metrics.confusion(labels, probabilities), expected)
    np.testing.assert_allclose(metrics.sensitivity(labels, probabilities), [2 / 3, 1 / 2])
    np.testing.assert_allclose(metrics.specificity(labels, probabilities), [1 / 2, 2 / 3])
    np.testing.assert_allclose(metrics.f1(labels, probabilities), [2 / 3, 1 / 2])


def test_absent_class_is_undefined_without_a_warning():
    labels = np.zeros(4, dtype=np.int64)
    probabilities = np.tile([0.7, 0.3], (4, 1))
    for name in ("auroc", "average_precision", "balanced_accuracy"):
        assert np.isnan(metrics.METRICS[name].function(labels, probabilities, None)), name
    assert np.isnan(metrics.sensitivity(labels, probabilities)[1])
    assert np.isnan(metrics.specificity(labels, probabilities)[0])
    np.testing.assert_equal(metrics.f1(labels, probabilities[:, ::-1]), [0, np.nan])
    assert metrics.accuracy(labels, probabilities) == 1


def test_a_resample_without_the_class_is_undefined_alone(simulate):
    table = simulate()
    weights = np.stack([np.ones(len(table)), (table.labels == 0) * 1.0])
    values = metrics.auroc(table.labels, table.probabilities, weights)
    assert np.isfinite(values[0])
    assert np.isnan(values[1])


def test_log_loss_of_certainty_is_finite():
    loss = metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]]))
    assert loss == pytest.approx(-np.log(np.finfo(float).eps))
