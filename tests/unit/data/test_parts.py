"""Parts never cut a group, keep classes in balance, and respect published splits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Parts
from medistill.data.parts import conflicting_rows, cross_folds, fold_parts, holdout_parts
from tests.unit.data.pictures import labelled_set


def _balanced(count: int = 200, per_group: int = 1) -> ImageSet:
    labels = [(row // per_group) % 2 for row in range(count)]
    return labelled_set(labels, groups=[row // per_group for row in range(count)])


def _rows(parts: Parts) -> list[int]:
    return [row for rows in parts.named().values() for row in rows]


def _assert_no_group_is_cut(images: ImageSet, parts: Parts) -> None:
    groups = [{images.samples[row].group for row in rows} for rows in parts.named().values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_four_parts_of_roughly_the_wanted_size_hold_every_row_once() -> None:
    images = _balanced(200)
    parts = holdout_parts(images, seed=0)
    assert sorted(_rows(parts)) == list(range(200))
    sizes = {name: len(rows) for name, rows in parts.named().items()}
    assert sizes["evaluate"] == 40
    assert 26 <= sizes["select"] <= 34
    assert 26 <= sizes["calibrate"] <= 34


def test_classes_keep_their_shares() -> None:
    images = labelled_set([int(row % 4 == 0) for row in range(400)])
    for rows in holdout_parts(images, seed=3).named().values():
        share = np.mean([images.samples[row].label for row in rows])
        assert share == pytest.approx(0.25, abs=0.03)


def test_fractions_are_followed() -> None:
    fractions = {"select": 0.1, "calibrate": 0.1, "evaluate": 0.5}
    parts = holdout_parts(_balanced(400), seed=0, fractions=fractions)
    assert len(parts.evaluate) == 200
    assert 36 <= len(parts.select) <= 44


@pytest.mark.parametrize("seed", range(6))
def test_no_group_is_ever_cut(seed: int) -> None:
    draws = np.random.default_rng(seed)
    # Groups of 1 to about 20 images, some with both classes.
    groups = draws.geometric(0.05, size=200)
    labels = [int(draws.random() < (0.9 if group % 2 else 0.1)) for group in groups]
    images = labelled_set(labels, groups=groups)
    for parts in (holdout_parts(images, seed=1), fold_parts(images, folds=3, fold=2, seed=1)):
        assert sorted(_rows(parts)) == list(range(200))
        _assert_no_group_is_cut(images, parts)


def test_same_seed_same_parts_another_seed_others() -> None:
    images = _balanced(200, per_group=3)
    assert holdout_parts(images, seed=5) == holdout_parts(images, seed=5)
    assert holdout_parts(images, seed=5) != holdout_parts(images, seed=6)
    first, second = (fold_parts(images, folds=4, fold=1, seed=seed) for seed in (5, 6))
    assert first == fold_parts(images, folds=4, fold=1, seed=5)
    assert first != second


def test_unlabelled_images_are_in_no_part() -> None:
    images = labelled_set([None if row % 5 == 0 else row % 2 for row in range(200)])
    for parts in (holdout_parts(images, seed=0), fold_parts(images, folds=4, fold=0, seed=0)):
        assert sorted(_rows(parts)) == [row for row in range(200) if row % 5]


@pytest.mark.parametrize("published", ["test", "val"])
def test_a_published_part_is_evaluate_and_the_others_come_from_train(published: str) -> None:
    splits = [published if row < 40 else "train" for row in range(200)]
    images = labelled_set([row % 2 for row in range(200)], splits=splits)
    parts = holdout_parts(images, seed=0)
    assert parts.evaluate == tuple(range(40))
    assert sorted(_rows(parts)) == list(range(200))


def test_published_val_beside_a_test_is_select() -> None:
    names = ["test"] * 40 + ["val"] * 30 + ["train"] * 130
    images = labelled_set([row % 2 for row in range(200)], splits=names)
    parts = holdout_parts(images, seed=0)
    assert parts.evaluate == tuple(range(40))
    assert parts.select == tuple(range(40, 70))
    assert 26 <= len(parts.calibrate) <= 34


def test_rows_that_a_published_split_leaks_are_reported_and_in_no_part() -> None:
    splits = ["val" if row < 40 else "train" for row in range(200)]
    groups = [7 if row in {7, 50, 51} else row for row in range(200)]
    images = labelled_set([row % 2 for row in range(200)], splits=splits, groups=groups)
    assert conflicting_rows(images) == (50, 51)
    parts = holdout_parts(images, seed=0)
    assert sorted(set(range(200)) - set(_rows(parts))) == [50, 51]
    assert parts.evaluate == tuple(range(40))
    _assert_no_group_is_cut(images, parts)


def test_test_goes_before_val_and_val_before_train() -> None:
    images = labelled_set(
        [0, 1, 0, 1, 0, 1, 0],
        splits=["test", "val", "train", "val", "train", None, "train"],
        groups=["a", "a", "a", "b", "b", "b", "c"],
    )
    assert conflicting_rows(images) == (1, 2, 4, 5)


def test_set_without_a_split_has_no_conflicts() -> None:
    assert conflicting_rows(_balanced(10)) == ()


def test_every_row_is_evaluated_in_exactly_one_fold() -> None:
    images = _balanced(150, per_group=5)
    folds = [fold_parts(images, folds=5, fold=fold, seed=2) for fold in range(5)]
    counts = Counter(row for parts in folds for row in parts.evaluate)
    assert counts == dict.fromkeys(range(150), 1)
    for parts in folds:
        assert sorted(_rows(parts)) == list(range(150))
        assert 15 <= len(parts.select) <= 30


def test_shares_of_a_fold_can_be_chosen() -> None:
    shares = {"select": 0.3, "calibrate": 0.1}
    parts = fold_parts(_balanced(200), folds=5, fold=0, seed=0, fractions=shares)
    assert len(parts.evaluate) == 40
    assert 50 <= len(parts.select) <= 70
    assert 16 <= len(parts.calibrate) <= 24


def test_folds_ignore_the_published_split() -> None:
    labels = [row % 2 for row in range(100)]
    plain = labelled_set(labels)
    split = labelled_set(labels, splits=["val"] * 20 + ["train"] * 80)
    expected = fold_parts(plain, folds=4, fold=3, seed=0)
    assert fold_parts(split, folds=4, fold=3, seed=0) == expected


def test_multi_label_and_segmentation_sets_are_cut_too() -> None:
    labels = [(float(row % 2), float(row % 3 == 0), float(row == 5)) for row in range(120)]
    images = labelled_set(labels, task="multi-label", classes=("a", "b", "c"))
    parts = fold_parts(images, folds=5, fold=0, seed=0)
    assert sorted(_rows(parts)) == list(range(120))
    shares = [np.mean([labels[row][1] for row in rows]) for rows in parts.named().values()]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.1)


def test_cross_folds_cover_the_rows_by_group() -> None:
    images = _balanced(100, per_group=2)
    rows = tuple(range(20, 100))
    found = cross_folds(images, rows[::-1], folds=4, seed=0)
    assert tuple(found) == rows
    assert set(found.values()) == {0, 1, 2, 3}
    assert all(found[row] == found[row + 1] for row in range(20, 100, 2))
    assert cross_folds(images, rows, folds=4, seed=1) != found


def test_fewer_groups_than_folds_is_refused() -> None:
    images = labelled_set([0, 1] * 20, groups=[row % 4 for row in range(40)])
    with pytest.raises(DataError, match=r"the set has 4 groups \(patient\) for 5 folds"):
        fold_parts(images, folds=5, fold=0, seed=0)


def test_a_class_in_fewer_groups_than_folds_is_refused() -> None:
    images = labelled_set(
        [int(row < 4) for row in range(40)], groups=[row // 2 for row in range(40)]
    )
    with pytest.raises(DataError, match="class 'ill' has 2 groups"):
        fold_parts(images, folds=5, fold=0, seed=0)


@pytest.mark.parametrize("fold", [-1, 5])
def test_fold_that_does_not_exist_is_refused(fold: int) -> None:
    with pytest.raises(DataError, match="is asked of 5 folds"):
        fold_parts(_balanced(), folds=5, fold=fold, seed=0)


def test_single_fold_is_refused() -> None:
    with pytest.raises(DataError, match="Use at least 2 folds"):
        fold_parts(_balanced(), folds=1, fold=0, seed=0)


def test_class_too_scarce_for_four_parts_is_refused() -> None:
    images = labelled_set([int(row < 3) for row in range(100)])
    with pytest.raises(DataError, match="class 'ill' lies in too few groups"):
        holdout_parts(images, seed=0)


def test_class_absent_from_the_published_part_is_refused() -> None:
    splits = ["test" if row < 10 else "train" for row in range(100)]
    images = labelled_set([int(row >= 10 and row % 2) for row in range(100)], splits=splits)
    with pytest.raises(DataError, match="part 'evaluate' has not an image of class 'ill'"):
        holdout_parts(images, seed=0)


def test_one_class_is_refused() -> None:
    with pytest.raises(DataError, match="same class"):
        holdout_parts(labelled_set([1] * 50), seed=0)
