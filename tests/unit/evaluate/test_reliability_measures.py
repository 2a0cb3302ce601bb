from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import binary_calibration_error

from medistill.evaluate.reliability_measures import adaptive_error, equal_width_error, measures


def drawn(count: int = 600, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(classes), size=count)
    labels = (chances.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return chances, labels


def test_equal_width_agrees_with_torchmetrics() -> None:
    chances, labels = drawn()
    expected = binary_calibration_error(
        torch.from_numpy(chances[:, 1].copy()), torch.from_numpy(labels), n_bins=15, norm="l1"
    )
    found = equal_width_error(chances[:, 1], labels.astype(float))
    assert found == pytest.approx(float(expected), abs=1e-6)


def test_adaptive_bins_hold_equally_many() -> None:
    # 15 bins of two: in each the mean statement .2 meets the frequency .5
    stated = np.full(30, 0.2)
    happened = np.tile([0.0, 1.0], 15)
    assert adaptive_error(stated, happened) == pytest.approx(0.3)
    # sorted apart, over- and underconfidence do not cancel
    mixed = np.concatenate([np.full(15, 0.1), np.full(15, 0.9)])
    wrong = np.concatenate([np.ones(15), np.zeros(15)])
    assert adaptive_error(mixed, wrong) == pytest.approx(0.9, abs=0.06)


def test_brier_and_log_loss_agree_with_scikit_learn() -> None:
    chances, labels = drawn()
    found = measures(chances, labels, task="single-label", classes=["a", "b"])
    assert found["brier"] == pytest.approx(brier_score_loss(labels, chances[:, 1]))
    assert found["log_loss"] == pytest.approx(log_loss(labels, chances))
    many, marks = drawn(classes=4)
    found = measures(many, marks, task="single-label", classes=list("abcd"))
    assert found["log_loss"] == pytest.approx(log_loss(marks, many))
    summed = ((many - np.eye(4)[marks]) ** 2).sum(axis=1).mean()
    assert found["brier"] == pytest.approx(summed)


def test_means_are_over_the_labels_that_count_and_over_folds() -> None:
    chances, labels = drawn()
    marks = np.stack([labels, 1 - labels], axis=1).astype(float)
    stated = np.stack([chances[:, 1], chances[:, 1]], axis=1)
    folds = np.r_[np.zeros(100, dtype=np.int64), np.ones(500, dtype=np.int64)]
    found = measures(
        stated, marks, task="multi-label", classes=["x", "y"], counted=[0], folds=folds
    )
    alone = measures(chances, labels, task="single-label", classes=["a", "b"])
    for name in ("error", "adaptive"):
        assert found[name] == pytest.approx(alone[name])
    assert found["classwise"] == pytest.approx(found["per_class"]["x"])
    parts = [brier_score_loss(labels[of], chances[of, 1]) for of in (folds == 0, folds == 1)]
    assert found["brier"] == pytest.approx(np.mean(parts))
    parts = [log_loss(labels[of], chances[of, 1]) for of in (folds == 0, folds == 1)]
    assert found["log_loss"] == pytest.approx(np.mean(parts))


def test_unknown_labels_are_left_out_and_a_label_without_any_is_none() -> None:
    chances, labels = drawn()
    matrix = np.stack([labels.astype(float), np.full(labels.size, np.nan)], axis=1)
    matrix[:100, 0] = np.nan
    stated = np.stack([chances[:, 1], chances[:, 1]], axis=1)
    found = measures(stated, matrix, task="multi-label", classes=["x", "y"])
    alone = measures(chances[100:], labels[100:], task="single-label", classes=["a", "b"])
    for name in ("error", "adaptive", "brier", "log_loss"):
        assert found[name] == pytest.approx(alone[name])
    assert found["per_class"] == {"x": pytest.approx(found["adaptive"]), "y": None}
    nothing = measures(stated, matrix * np.nan, task="multi-label", classes=["x", "y"])
    assert nothing["error"] is nothing["brier"] is nothing["log_loss"] is None


def test_pixels_count_one_by_one() -> None:
    chances, labels = drawn(600, classes=3)
    planes = np.moveaxis(chances.reshape(6, 10, 10, 3), -1, 1)
    masks = measures(planes, labels.reshape(6, 10, 10), task="segmentation", classes=list("abc"))
    flat = measures(chances, labels, task="single-label", classes=list("abc"))
    for name in ("error", "adaptive", "classwise", "brier", "log_loss"):
        assert masks[name] == pytest.approx(flat[name])


def test_masks_without_a_labelled_pixel_say_nothing() -> None:
    chances, labels = drawn(600, classes=3)
    planes = np.moveaxis(chances.reshape(6, 10, 10, 3), -1, 1)
    masks = labels.reshape(6, 10, 10).copy()
    asked: dict[str, Any] = {"task": "segmentation", "classes": list("abc")}
    expected = measures(planes[:4], masks[:4], **asked)
    masks[4:] = 255
    found = measures(planes, masks, **asked)
    assert found.pop("per_class") == pytest.approx(expected.pop("per_class"))
    assert found == pytest.approx(expected)
    assert measures(planes[4:], masks[4:], **asked)["brier"] is None


def test_pixels_of_two_classes_are_judged_by_the_predicted_one() -> None:
    chances, labels = drawn(600)
    planes = np.moveaxis(chances.reshape(6, 10, 10, 2), -1, 1)
    found = measures(planes, labels.reshape(6, 10, 10), task="segmentation", classes=["a", "b"])
    right = (chances.argmax(axis=1) == labels).astype(float)
    assert found["error"] == pytest.approx(equal_width_error(chances.max(axis=1), right))
    assert found["brier"] == pytest.approx(brier_score_loss(labels, chances[:, 1]))
