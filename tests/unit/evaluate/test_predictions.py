from __future__ import annotations

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.grouped import check_same_images
from medistill.evaluate.predictions import Predictions, read_csv

GOOD = {
    "names": ["a", "b", "c"],
    "groups": ["g", "g", "h"],
    "labels": [0, 1, 1],
    "probabilities": [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]],
    "folds": [0, 0, 1],
}


def test_csv_round_trip_is_exact(tmp_path):
    table = Predictions(**{**GOOD, "probabilities": [[1 / 3, 2 / 3], [0.1, 0.9], [1, 0]]})
    path = tmp_path / "predictions.csv"
    table.write_csv(path, ["no, none", 'a "b"'])
    assert path.read_text().splitlines()[0] == 'path,label,group,fold,"p_no, none","p_a ""b"""'
    again, classes = read_csv(path)
    assert classes == ("no, none", 'a "b"')
    assert again.names == table.names
    assert again.groups == table.groups
    for field in ("labels", "probabilities", "folds"):
        np.testing.assert_array_equal(getattr(again, field), getattr(table, field))


def test_counts_groups():
    table = Predictions(**GOOD)
    assert (len(table), table.group_count, table.classes) == (3, 2, 2)
    assert table.groups_with(table.labels == 0) == 1
    assert [rows.tolist() for rows in table.fold_rows] == [[0, 1], [2]]


def test_a_half_precision_softmax_is_accepted():
    Predictions(**{**GOOD, "probabilities": [[0.4995, 0.5], [0.25, 0.75], [1, 0]]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": [[0.5, 0.4], [0.25, 0.75], [1, 0]]}, "'a' .*do not sum to one"),
        ({"probabilities": [[0.5, 0.5], [np.nan, 0.5], [1, 0]]}, "'b' .*not a finite number"),
        ({"probabilities": [[1.5, -0.5], [0.5, 0.5], [1, 0]]}, "'a' .*outside 0 to 1"),
        ({"probabilities": [[1.0], [1.0], [1.0]]}, "fewer than two classes"),
        ({"labels": [0, 1, 2]}, "'c' has a label that is no class"),
        ({"labels": [0, 1]}, "differ in length"),
        ({"names": ["a", "b", "a"]}, "'a' is there more than once"),
        ({"folds": [0, 1, 1]}, "group 'g' is in several folds"),
        (
            {"names": [], "groups": [], "labels": [], "probabilities": np.zeros((0, 2)),
             "folds": []},
            "there are no images",
        ),
    ],
)  # fmt: skip
def test_bad_values_are_named(change, message):
    with pytest.raises(DataError, match=message) as caught:
        Predictions(**{**GOOD, **change}, where="student.csv")
    assert str(caught.value).startswith("student.csv: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "the columns are not path, label, group, fold"),
        ("path,label,group,fold,p_x,p_y\na,z,g,0,1,0\n", "line 2: label 'z' has no column"),
        ("path,label,group,fold,p_x,p_y\na,x,g,0,1\n", "line 2: 5 values for 6 columns"),
        ("path,label,group,fold,p_x,p_y\na,x,g,0,1,oops\n", "line 2: .*not a number"),
        ("path,label,group,fold,p_x,p_y\n", "there are no images"),
        ("", "the columns are not"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_csv(path)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_csv(tmp_path / "absent.csv")


def test_refuses_other_images_and_says_which():
    first = Predictions(**GOOD)
    other = Predictions(**{**GOOD, "names": ["a", "b", "x"]})
    with pytest.raises(DataError, match=r"control: .*other images than student \(2: c, x\)"):
        check_same_images({"student": first, "control": other})


def test_refuses_other_labels_or_order():
    first = Predictions(**GOOD)
    other = Predictions(**{**GOOD, "labels": [0, 1, 0]})
    with pytest.raises(DataError, match="label, group or fold of 'c'"):
        check_same_images({"student": first, "control": other})
