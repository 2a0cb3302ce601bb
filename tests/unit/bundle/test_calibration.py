from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from medistill.bundle.calibration import Calibration, decide, probabilities

CLASSES = ("a", "b")


def test_softmax_by_hand() -> None:
    # exp(ln 3) : exp(0) = 3 : 1
    found = probabilities(np.array([[np.log(3.0), 0.0]]), task="single-label")
    np.testing.assert_allclose(found, [[0.75, 0.25]], rtol=1e-12)


def test_temperature_by_hand() -> None:
    # At temperature 2, ln 9 becomes ln 3.
    logits = np.array([[np.log(9.0), 0.0]], dtype=np.float32)
    found = probabilities(logits, task="single-label", calibration=Calibration(temperature=2.0))
    np.testing.assert_allclose(found, [[0.75, 0.25]], rtol=1e-6)
    assert found.dtype == np.float64


def test_equal_to_scipy_and_stable_for_huge_logits() -> None:
    logits = np.array([[1e4, -1e4, 3.0], [-2.0, 0.5, 800.0], [0.0, 0.0, 0.0]])
    single = probabilities(logits, task="single-label")
    np.testing.assert_allclose(single, softmax(logits, axis=1), rtol=1e-12)
    multi = probabilities(logits, task="multi-label")
    np.testing.assert_allclose(multi, expit(logits), rtol=1e-12)


def test_masks_are_normalised_over_classes() -> None:
    found = probabilities(np.random.default_rng(0).normal(size=(2, 3, 4, 4)), task="segmentation")
    assert found.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="is not positive"):
        Calibration(temperature=temperature)


def test_without_thresholds_the_most_probable_class_holds_and_the_first_of_equals() -> None:
    chances = np.array([[0.4, 0.6], [0.5, 0.5]])
    held = decide(chances, task="single-label", classes=CLASSES, thresholds={})
    assert held.tolist() == [[False, True], [True, False]]


def test_a_threshold_moves_the_label_exactly_at_its_value() -> None:
    chances = np.array([[0.79, 0.21], [0.81, 0.19]])
    held = decide(chances, task="single-label", classes=CLASSES, thresholds={"a": 0.8, "b": 0.2})
    assert held.tolist() == [[False, True], [True, False]]


def test_multi_label_classes_hold_on_their_own() -> None:
    chances = np.array([[0.5, 0.3], [0.9, 0.2], [0.1, 0.1]])
    thresholds = {"a": 0.5, "b": 0.25}
    held = decide(chances, task="multi-label", classes=CLASSES, thresholds=thresholds)
    assert held.tolist() == [[True, True], [True, False], [False, False]]


def test_masks_are_decided_pixel_by_pixel() -> None:
    first = np.array([[[0.7, 0.4]], [[0.2, 0.9]]])
    held = decide(
        np.stack([first, 1 - first], axis=1), task="segmentation", classes=CLASSES, thresholds={}
    )
    assert held[:, 0].tolist() == [[[True, False]], [[False, True]]]
    np.testing.assert_array_equal(held[:, 1], ~held[:, 0])


def test_every_label_has_its_own_temperature() -> None:
    # ln 9 at temperature 2 is ln 3: p = 3/4; ln 9 at temperature 1: p = 9/10
    both = Calibration(labels=(2.0, 1.0))
    logits = np.full((1, 2), np.log(9.0))
    found = probabilities(logits, task="multi-label", calibration=both)
    np.testing.assert_allclose(found, [[0.75, 0.9]], rtol=1e-12)
    masks = probabilities(logits.reshape(1, 2, 1, 1), task="multi-label", calibration=both)
    np.testing.assert_allclose(masks.ravel(), [0.75, 0.9], rtol=1e-12)
    with pytest.raises(ValueError, match="not positive"):
        Calibration(labels=(1.0, -1.0))
