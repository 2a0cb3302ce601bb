from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.selective import confidence_and_hits, risk_coverage_area, selective_values
from medistill.evaluate.shares import clusters


def test_area_by_hand() -> None:
    # sorted: right, wrong, right -> risks 0, 1/2, 1/3
    sure, right = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert risk_coverage_area(sure, right) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    # tied confidences share their risk: 1/3 at every coverage
    assert risk_coverage_area(np.full(3, 0.5), right) == pytest.approx(1 / 3)


def test_a_useful_confidence_raises_accuracy_as_coverage_falls() -> None:
    random = np.random.default_rng(0)
    sure = random.uniform(0.5, 1, 1000)
    right = random.random(1000) < sure
    drawn = clusters([str(n) for n in range(1000)], word="image", resamples=200)
    found = selective_values(sure, right, drawn)
    accuracy = [point["accuracy"]["estimate"] for point in found["points"]]
    assert accuracy == sorted(accuracy)
    assert [round(p["coverage"], 2) for p in found["points"]] == [1.0, 0.9, 0.8, 0.7, 0.5]
    assert accuracy[0] == pytest.approx(right.mean())
    assert found["best_area"] < found["area"] < 1 - right.mean()
    assert found["coverage"][-1] == 1.0
    assert found["accuracy"][-1] == pytest.approx(right.mean(), abs=1e-4)


def test_labels_answer_one_by_one_and_unknown_ones_not_at_all() -> None:
    chances = np.array([[0.9, 0.4], [0.2, 0.6]])
    labels = np.array([[1.0, np.nan], [1.0, 1.0]])
    sure, right = confidence_and_hits(chances, labels, task="multi-label")
    np.testing.assert_allclose(sure, [0.9, 0.8, 0.6])
    assert right.tolist() == [True, False, True]
    sure, right = confidence_and_hits(chances, np.array([0, 0]), task="single-label")
    assert right.tolist() == [True, False]
