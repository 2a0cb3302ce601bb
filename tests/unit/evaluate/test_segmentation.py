"""Measures of masks by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from medistill.evaluate.segmentation import (
    boundary,
    image_measures,
    overlap,
)


def block(top: int, left: int, height: int = 10, width: int = 10, size: int = 40) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_scikit_learn_gives_the_same_overlap() -> None:
    random = np.random.default_rng(0)
    first, second = random.random((2, 20, 20)) < 0.4
    found = overlap(first, second)
    assert found.dice == pytest.approx(f1_score(second.ravel(), first.ravel()))
    assert found.iou == pytest.approx(jaccard_score(second.ravel(), first.ravel()))


def test_a_shifted_square_by_hand() -> None:
    """Ten by ten, three to the right: 70 common of 130."""
    found = overlap(block(10, 10), block(10, 13))
    assert found.dice == pytest.approx(0.7)
    assert found.iou == pytest.approx(70 / 130)
    assert found.hd95 == pytest.approx(3.0)
    # Boundary pixels within one pixel (.0075 of the diagonal is less) of the other boundary.
    assert 0.4 < found.boundary_f < 0.7


def test_equal_masks_are_perfect() -> None:
    assert overlap(block(5, 5), block(5, 5)) == (1.0, 1.0, 0.0, 1.0)


def test_empty_masks() -> None:
    empty = np.zeros((40, 30), bool)
    full = empty.copy()
    full[3:9, 4:8] = True
    assert all(np.isnan(overlap(empty, empty)))
    for pair in ((full, empty), (empty, full)):
        assert overlap(*pair) == (0.0, 0.0, 50.0, 0.0)  # the diagonal of 40 x 30


def test_the_boundary_is_one_pixel_wide() -> None:
    assert boundary(block(10, 10)).sum() == 36
    assert boundary(np.ones((5, 5), bool)).sum() == 16


def test_unknown_pixels_do_not_count() -> None:
    truth = block(10, 10).astype(np.uint8)
    predicted = truth.copy()
    predicted[:5] = 1
    truth[:5] = 255
    assert image_measures(predicted, truth, classes=2)[0, 0] == 1.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"a mask of \(2, 2\)"):
        overlap(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
