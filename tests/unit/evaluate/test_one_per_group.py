from __future__ import annotations

import numpy as np

from medistill.evaluate.one_per_group import groups_among, one_per_group


def test_one_row_of_each_group_among_those_given() -> None:
    groups = ["a", "a", "b", "c", "c", "c"]
    chosen = one_per_group(groups, np.array([0, 1, 3, 4, 5]))
    assert [groups[row] for row in chosen] == ["a", "c"]
    assert set(chosen.tolist()) <= {0, 1, 3, 4, 5}
    assert groups_among(groups, np.array([0, 1, 3])) == 2


def test_every_row_of_a_group_is_drawn_as_often() -> None:
    drawn = [int(one_per_group(["a"] * 4, np.arange(4), seed=seed)[0]) for seed in range(2000)]
    counts = np.bincount(drawn, minlength=4)
    assert counts.min() > 400  # 500 expected, deviation 19


def test_no_rows_give_none() -> None:
    assert one_per_group(["a"], np.array([], dtype=np.int64)).size == 0
