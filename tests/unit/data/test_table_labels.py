"""One label or several, numbers or words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.table_labels import label_caveats, read_class_columns, read_labels

WHERE = Path("list.csv")


def test_single_labels_are_indices_of_sorted_words() -> None:
    labels = read_labels(["well", "ill", "Unlabelled", "well"], where=WHERE, column="label")
    assert labels.classes == ("ill", "well")
    assert labels.values == (1, 0, None, 1)
    assert not labels.several


def test_numbers_are_sorted_by_value() -> None:
    assert read_labels(["10", "9", "1"], where=WHERE, column="label").classes == ("1", "9", "10")


def test_a_bar_makes_the_set_multi_label() -> None:
    labels = read_labels(["a| c", "b", "No Finding", "unlabeled"], where=WHERE, column="label")
    assert labels.classes == ("a", "b", "c")
    assert labels.values == ((1, 0, 1), (0, 1, 0), (0, 0, 0), None)
    assert labels.several


@pytest.mark.parametrize("column", ["label", "labels"])
def test_a_semicolon_joins_labels_as_a_bar_does(column: str) -> None:
    labels = read_labels(["a; c", "b", "none"], where=WHERE, column=column)
    assert labels.classes == ("a", "b", "c")
    assert labels.values == ((1, 0, 1), (0, 1, 0), (0, 0, 0))


@pytest.mark.parametrize("column", ["label", "labels"])
def test_lists_make_the_set_multi_label(column: str) -> None:
    cells = ["['pneumonia', ' loc right']", "['loc right']", "[]", "['unlabelled']", "Unlabelled"]
    labels = read_labels(cells, where=WHERE, column=column)
    assert labels.classes == ("loc right", "pneumonia")
    assert labels.values == ((1, 1), (1, 0), (0, 0), None, None)
    assert labels.several


def test_column_labels_is_multi_label_without_a_bar() -> None:
    labels = read_labels(["a", "none"], where=WHERE, column="labels")
    assert (labels.classes, labels.values) == (("a",), ((1.0,), (0.0,)))


@pytest.mark.parametrize(
    ("cells", "column", "message"),
    [
        (["a", "a"], "label", "column 'label' has only the class 'a'"),
        (["unlabelled"], "label", "names no class"),
        (["none"], "labels", "column 'labels' names no class"),
    ],
)
def test_too_few_classes_are_refused(cells: list[str], column: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(cells, where=WHERE, column=column)


def test_columns_of_classes_as_in_chexpert() -> None:
    columns = {
        "sex": ["F", "M", "F"],
        "age": ["1", "70", "0"],
        "edema": ["1.0", "-1.0", ""],
        "fracture": ["0", "1", "-1"],
        "never": ["", "0", ""],
    }
    labels = read_class_columns(columns)
    assert labels is not None
    assert labels.classes == ("edema", "fracture")
    np.testing.assert_array_equal(labels.values, [[1, 0], [np.nan, 1], [np.nan, np.nan]])
    assert (labels.uncertain, labels.missing) == (2, 1)
    assert labels.never == ("never",)
    assert "2 uncertain (-1) and 1 blank" in label_caveats(labels)[0]
    assert read_class_columns({"sex": ["F", "M"]}) is None


@pytest.mark.parametrize(
    ("cells", "classes", "values", "uncertain"),
    [
        (["1", "0", "-1", "-1"], ("0", "1"), (1, 0, None, None), 2),
        (["1.0", "0.0", "-1.0"], ("0.0", "1.0"), (1, 0, None), 1),
        (["2", "0", "-1", "1"], ("0", "1", "2"), (2, 0, None, 1), 1),
        (["2.0", "0.0", "-1.0", "1.0"], ("0.0", "1.0", "2.0"), (2, 0, None, 1), 1),
        (["0", "1", "-1", "unlabelled"], ("0", "1"), (0, 1, None, None), 1),
        (["1", "-1"], ("-1", "1"), (1, 0), 0),  # as support vector machines write two classes
        (["0", "-1"], ("-1", "0"), (1, 0), 0),
        (["1", "0", "-1", "ill"], ("-1", "0", "1", "ill"), (2, 1, 0, 3), 0),
    ],
)
def test_minus_one_is_no_class_beside_0_and_1(
    cells: list[str], classes: tuple[str, ...], values: tuple[int | None, ...], uncertain: int
) -> None:
    labels = read_labels(cells, where=WHERE, column="label")
    assert (labels.classes, labels.values, labels.uncertain) == (classes, values, uncertain)
    assert bool(label_caveats(labels)) is bool(uncertain)


def test_a_number_that_is_written_in_two_ways_is_one_class() -> None:
    labels = read_labels(["1.0", "0", "1", "0.0", "2.0"], where=WHERE, column="label")
    assert labels.classes == ("0", "1", "2.0")
    assert labels.values == (1, 0, 1, 0, 2)
    # Written in one way it keeps its name.
    assert read_labels(["1.0", "0.0"], where=WHERE, column="label").classes == ("0.0", "1.0")


@pytest.mark.parametrize("cells", [["ill", "Ill", "well"], ["no  lesion", "no lesion", "lesion"]])
def test_classes_that_differ_in_capitals_or_spaces_alone_are_refused(cells: list[str]) -> None:
    with pytest.raises(DataError, match="differ in capitals or spaces alone. Write each class in"):
        read_labels(cells, where=WHERE, column="label")


def test_a_semicolon_in_a_column_for_one_label_is_said() -> None:
    cells = ["T2; N0", "T1", "T2", "T1; N1"]
    labels = read_labels(cells, where=Path("list.csv"), column="label")
    assert labels.classes == ("N0", "N1", "T1", "T2")
    (said,) = label_caveats(labels)
    assert said.startswith("Column 'label' holds ';' in 2 rows, such as 'T2; N0': it is taken to")
    meant = read_labels(cells, where=Path("list.csv"), column="labels")
    bars = [cell.replace(";", "|") for cell in cells]
    joined = read_labels(bars, where=Path("list.csv"), column="label")
    assert label_caveats(meant) == label_caveats(joined) == ()
