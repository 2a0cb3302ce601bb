from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from medistill.bundle.calibration import Calibration, probabilities
from medistill.evaluate.operating import Wish, choose_thresholds
from medistill.evaluate.temperature import fit_calibration


def drawn(count: int, classes: int, *, factor: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Logits that are ``factor`` times too large for the labels drawn from them, and groups."""
    random = np.random.default_rng(seed)
    honest = random.normal(scale=1.5, size=(count, classes))
    chances = probabilities(honest, task="single-label")
    labels = (chances.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return factor * honest, labels.clip(max=classes - 1), np.arange(count).astype(str)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_true_temperature_is_found(factor: float, classes: int) -> None:
    logits, labels, groups = drawn(20_000, classes, factor=factor)
    names = [str(k) for k in range(classes)]
    found, reasons = fit_calibration(logits, labels, groups, task="single-label", classes=names)
    assert not reasons
    assert found.temperature == pytest.approx(factor, rel=0.05)


def test_two_classes_agree_with_a_logistic_regression_through_the_origin() -> None:
    logits, labels, groups = drawn(400, 2, factor=2.0)
    margin = (logits[:, 1] - logits[:, 0])[:, None]
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(margin, labels)
    found, _ = fit_calibration(logits, labels, groups, task="single-label", classes=["a", "b"])
    assert found.temperature == pytest.approx(1 / float(model.coef_[0, 0]), rel=1e-4)


def test_each_label_has_its_own_and_unknown_labels_are_left_out() -> None:
    random = np.random.default_rng(1)
    honest = random.normal(scale=1.5, size=(20_000, 2))
    labels = (random.random(honest.shape) < 1 / (1 + np.exp(-honest))).astype(float)
    labels[:5000, 1] = np.nan
    logits = honest * np.array([2.0, 0.5])
    logits[:5000, 1] = 1e3  # would spoil the second, if it counted
    groups = np.arange(20_000).astype(str)
    found, reasons = fit_calibration(logits, labels, groups, task="multi-label", classes=["x", "y"])
    assert not reasons
    assert found.labels == pytest.approx((2.0, 0.5), rel=0.05)


def test_pixels_of_masks_count_one_by_one() -> None:
    logits, labels, _ = drawn(40 * 16 * 16, 3, factor=2.0)
    masks = labels.reshape(40, 16, 16)
    planes = np.moveaxis(logits.reshape(40, 16, 16, 3), -1, 1)
    groups = np.arange(40).astype(str)
    found, _ = fit_calibration(planes, masks, groups, task="segmentation", classes=["a", "b", "c"])
    assert found.temperature == pytest.approx(2.0, rel=0.08)
    # Pixels that nobody labelled count nowhere.
    masks[::2] = 255
    half, _ = fit_calibration(planes, masks, groups, task="segmentation", classes=["a", "b", "c"])
    known = planes[1::2], masks[1::2], groups[1::2]
    alone, _ = fit_calibration(*known, task="segmentation", classes=["a", "b", "c"])
    assert half.temperature == pytest.approx(alone.temperature)


@pytest.mark.parametrize(
    ("labels", "groups", "reason"),
    [
        ([0, 1] * 10, ["g"] * 20, "too few groups (1 patient)"),
        ([0] * 20, [str(n) for n in range(20)], "no image is of the class 'b'"),
        ([0, 1] * 10, [str(n) for n in range(20)], "no mistake"),
    ],
)
def test_what_cannot_be_fitted_stays_as_it_is_and_says_why(
    labels: list[int], groups: list[str], reason: str
) -> None:
    logits = np.where(np.array([[0, 1]]) == np.array([0, 1] * 10)[:, None], 2.0, -2.0)
    found, reasons = fit_calibration(
        logits,
        np.array(labels),
        groups,
        task="single-label",
        classes=["a", "b"],
        word="patient",
    )
    assert found == Calibration()
    assert reason in reasons["calibration"]


def test_labels_without_evidence_stay_as_they_are() -> None:
    labels = np.full((20, 3), np.nan)
    labels[:, 1] = 1.0
    labels[:, 2] = [0.0, 1.0] * 10
    logits = np.zeros((20, 3))
    logits[:, 2] = np.where(labels[:, 2] == 1, 1.0, -1.0)
    groups = [str(n) for n in range(20)]
    found, reasons = fit_calibration(logits, labels, groups, task="multi-label", classes="xyz")
    assert found.labels == (1.0, 1.0, 1.0)
    assert reasons == {
        "calibration.x": "too few groups (0 groups with the class)",
        "calibration.y": "too few groups (0 groups without the class)",
        "calibration.z": "the model makes no mistake to learn from",
    }


def test_a_label_needs_ten_groups_with_each_answer_as_its_threshold_does() -> None:
    random = np.random.default_rng(0)
    for positives, fitted in ((2, False), (9, False), (10, True)):
        labels = np.zeros((200, 1))
        labels[:positives] = 1
        logits = 3 * (labels - 0.5) + 2 * random.normal(size=labels.shape)
        groups = [str(n) for n in range(200)]
        kind = {"task": "multi-label", "classes": ["x"], "word": "patient"}
        found, reasons = fit_calibration(logits, labels, groups, **kind)
        assert (found.labels != (1.0,)) == fitted
        wish = Wish(rule="youden")
        chances = 1 / (1 + np.exp(-logits))
        of_threshold = choose_thresholds(chances, labels, groups, wish=wish, **kind)[2]
        assert reasons.get("calibration.x") == of_threshold.get("thresholds.x")


def test_guessing_has_no_best_temperature() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(scale=9, size=(200, 2)), random.integers(0, 2, 200)
    found, reasons = fit_calibration(
        logits, labels, np.arange(200).astype(str), task="single-label", classes=["a", "b"]
    )
    wrong_way = (logits.argmax(axis=1) == labels).mean() < 0.5
    assert (found.temperature == 1.0) == ("calibration" in reasons)
    assert not wrong_way or "no temperature" in reasons["calibration"]
