import numpy as np
import pytest

from medistill.stages.scoring import selection_scores


def test_auroc_and_loss_by_hand() -> None:
    labels = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.2, 0.8]])
    scores = selection_scores(labels, probabilities)
    # Pairs (negative, positive) in order: .1<.5, .1<.8, .6>.5, .6<.8: three of four.
    assert scores["auroc"] == pytest.approx(0.75)
    expected = -np.log([0.9, 0.4, 0.5, 0.8]).mean()
    assert scores["loss"] == pytest.approx(expected)


def test_several_classes_are_averaged_one_against_the_rest() -> None:
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2]]
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]])
    # Each class: its own image against two others; every class is ranked first by its own score.
    assert selection_scores(labels, probabilities)["auroc"] == pytest.approx(1.0)


def test_a_certain_mistake_has_a_finite_loss() -> None:
    labels = np.eye(2, dtype=np.float32)[[0, 1]]
    probabilities = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(selection_scores(labels, probabilities)["loss"])


def test_a_label_with_one_yes_hardly_chooses() -> None:
    """Weights 12 * 2 * 2 / 5 = 9.6 and 12 * 1 * 3 / 5 = 7.2 of AUROC 1 and 0: 9.6 / 16.8."""
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], np.float32)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.5], [0.2, 0.6], [0.1, 0.7]])
    scores = selection_scores(labels, probabilities, "multi-label")
    assert scores["auroc"] == pytest.approx(9.6 / 16.8)
