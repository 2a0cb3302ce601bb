"""The quicker search finds scikit-learn's folds."""

from __future__ import annotations

import warnings
from unittest import mock

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from medistill.data.grouped_folds import GroupedFolds


@pytest.mark.parametrize("seed", range(40))
def test_folds_are_scikit_learns(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count, classes = int(draw.integers(40, 300)), int(draw.integers(2, 8))
    labels = draw.choice(classes, count, p=draw.dirichlet(np.full(classes, 2.0)))
    groups = draw.integers(0, max(12, count // int(draw.integers(1, 8))), count)
    folds = int(draw.integers(2, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer members than folds
        found, expected = (
            [held for _, held in kind(folds, shuffle=True, random_state=seed).split(labels, *given)]
            for kind, given in (
                (GroupedFolds, (labels, groups)),
                (StratifiedGroupKFold, (labels, groups)),
            )
        )
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


def test_scikit_learn_asks_the_quicker_search() -> None:
    labels = np.arange(40) % 2
    with mock.patch.object(
        GroupedFolds, "_find_best_fold", autospec=True, side_effect=GroupedFolds._find_best_fold
    ) as asked:
        list(GroupedFolds(4, shuffle=True, random_state=0).split(labels, labels, np.arange(40)))
    assert asked.call_count == 40


def test_a_class_of_fewer_members_than_folds_is_split_in_silence() -> None:
    labels = np.arange(40) < 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = list(GroupedFolds(5, shuffle=True, random_state=0).split(labels, labels, range(40)))
    assert sorted(row for _, held in folds for row in held.tolist()) == list(range(40))
