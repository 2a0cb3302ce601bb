from __future__ import annotations

import numpy as np
import pytest

from medistill.bundle.calibration import decide
from medistill.bundle.thresholds import positive_score

CLASSES = ("a", "b", "c")


def test_two_classes_score_by_their_probability() -> None:
    chances = np.array([[0.3, 0.7], [1.0, 0.0]])
    np.testing.assert_allclose(positive_score(chances, 1), [0.7, 0.0])


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_a_threshold_on_the_score_is_the_pair_that_decide_takes(threshold: float) -> None:
    chances = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], size=500)
    limits = {"a": 1 - threshold, "b": threshold, "c": 1 - threshold}
    held = decide(chances, task="single-label", classes=CLASSES, thresholds=limits)[:, 1]
    np.testing.assert_array_equal(held, positive_score(chances, 1) >= threshold)


def test_an_impossible_row_is_a_toss_up() -> None:
    assert positive_score(np.array([[0.0, 0.0]]), 1).tolist() == [0.5]
