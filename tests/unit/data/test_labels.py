"""Labels as numbers."""

from __future__ import annotations

import json

import numpy as np

from medistill.data.labels import label_of, labels_matrix, plain_label
from tests.unit.data.pictures import labelled_set

NAN = float("nan")


def test_single_labels_are_one_hot_and_unlabelled_rows_nan() -> None:
    images = labelled_set([1, 0, None, 2], classes=("a", "b", "c"))
    expected = [[0, 1, 0], [1, 0, 0], [NAN, NAN, NAN], [0, 0, 1]]
    matrix = labels_matrix(images)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, expected)


def test_several_labels_keep_what_is_unknown() -> None:
    images = labelled_set([(1.0, NAN), None, (0.0, 1.0)], task="multi-label")
    np.testing.assert_array_equal(labels_matrix(images), [[1, NAN], [NAN, NAN], [0, 1]])


def test_unknown_labels_survive_json() -> None:
    text = json.dumps(plain_label((1.0, NAN)), allow_nan=False)
    assert text == "[1.0, null]"
    np.testing.assert_array_equal(label_of(json.loads(text)), (1, NAN))
    assert [label_of(plain_label(label)) for label in (3, None)] == [3, None]


def test_empty_set_keeps_its_width() -> None:
    assert labels_matrix(labelled_set([], classes=("a", "b", "c"))).shape == (0, 3)
