from __future__ import annotations

import numpy as np
import pytest

from medistill.bundle.conformal import Conformal, class_sets, fewest_groups, label_sets

SETS = Conformal(
    level=0.9,
    quantiles={"a": 0.4, "b": 0.75},
    absent={},
    groups={"a": 10, "b": 10},
    absent_groups={},
)


@pytest.mark.parametrize(
    ("level", "groups"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)]
)
def test_fewest_groups_is_where_the_quantile_first_exists(level: float, groups: int) -> None:
    assert fewest_groups(level) == groups
    assert np.ceil(round((groups + 1) * level, 9)) <= groups


def test_sets_by_hand() -> None:
    # a stays from .6 up, b from .25 up
    chances = np.array([[0.7, 0.3], [0.5, 0.5], [0.76, 0.24], [np.nan, np.nan]])
    held = class_sets(chances, SETS, ("a", "b"))
    assert held.tolist() == [[True, True], [False, True], [True, False], [False, False]]


def test_labels_may_be_present_absent_both_or_neither() -> None:
    labels = Conformal(
        level=0.9,
        quantiles={"x": 0.3},
        absent={"x": 0.2},
        groups={"x": 9},
        absent_groups={"x": 9},
    )
    chances = np.array([[0.9, 0.5], [0.1, 0.5], [0.5, 0.5]])
    held = label_sets(chances, labels, ("x", "y"))
    assert held[:, 0].tolist() == [[True, False], [False, True], [False, False]]
    assert held[:, 1].all()  # y has no quantile: nothing is ruled out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 0.0}, "level"),
        ({"quantiles": {"a": 1.5, "b": 0.2}}, "quantile"),
        ({"absent": {"a": 0.1}}, "different labels"),
    ],
)
def test_impossible_values_are_refused(change: dict[str, object], message: str) -> None:
    values = {
        "level": 0.9,
        "quantiles": {"a": 0.1, "b": 0.2},
        "absent": {},
        "groups": {},
        "absent_groups": {},
    }
    with pytest.raises(ValueError, match=message):
        Conformal(**{**values, **change})  # type: ignore[arg-type]
