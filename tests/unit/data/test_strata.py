"""What is kept in balance."""

from __future__ import annotations

import pytest

from medistill.core.errors import DataError
from medistill.data.strata import check_classes, labelled_rows, smallest_spread, strata
from tests.unit.data.pictures import labelled_set


def test_unlabelled_rows_are_left_out() -> None:
    assert labelled_rows(labelled_set([0, None, 1, None])) == (0, 2)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([None, None], "no image has a label"),
        ([], "no image has a label"),
        ([1, 1, None], "all images have the same class"),
    ],
)
def test_set_without_two_classes_is_refused(labels: list[int | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        labelled_rows(labelled_set(labels))


def test_single_label_stratum_is_the_class() -> None:
    assert strata(labelled_set([1, 0, 1]), [0, 2], folds=2) == [1, 1]


def test_multi_label_stratum_is_the_rarest_common_class() -> None:
    # Class 0 on four images, 1 on three, 2 on one only: too few groups for two folds.
    rows = [(1, 0, 0), (1, 1, 0), (1, 1, 0), (1, 1, 1), (0, 0, 0)]
    labels = [tuple(map(float, row)) for row in rows]
    images = labelled_set(labels, classes=("a", "b", "c"), task="multi-label")
    assert strata(images, range(5), folds=2) == [-1, 1, 1, -1, -1]
    assert strata(images, range(5), folds=1) == [0, 1, 1, 2, -1]


def test_smallest_spread_counts_groups_not_images() -> None:
    images = labelled_set([0, 0, 0, 1, 1], groups=["p", "q", "r", "s", "s"])
    assert smallest_spread(images, range(5)) == (1, "class 'ill'")
    assert smallest_spread(images, range(3)) == (0, "class 'ill'")


def test_part_without_a_class_is_named() -> None:
    images = labelled_set([0, 1, 0])
    with pytest.raises(DataError, match=r"part 'select' has not an image of class 'ill' \(1 im"):
        check_classes(images, {"fit": (0, 1), "select": (2,)})


def test_empty_part_is_named() -> None:
    images = labelled_set([(0.0, 1.0)], task="multi-label")
    with pytest.raises(DataError, match="part 'evaluate' has not any image"):
        check_classes(images, {"fit": (0,), "evaluate": ()})
