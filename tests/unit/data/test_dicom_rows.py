"""Rows of a table joined to DICOM files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.dicom_rows import Joined, joined
from medistill.data.table_file import load_table
from medistill.imaging.identity import Identity

FILES = {
    "a/IM0.dcm": Identity(patient="p1", study="1.1"),
    "a/IM1.dcm": Identity(patient="p1", study="1.2"),
    "b/IM2": Identity(patient="p2", study="2.1"),
}


def _joined(folder: Path, *lines: str) -> Joined:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines))
    return joined(load_table(path), folder, FILES, FILES)


@pytest.mark.parametrize(
    "lines",
    [
        ("patient,edema,mass", "p1,1,-1", "p2,0,1"),
        ("PatientID,Edema,Mass", "p1,1.0,", "p2,0.0,1.0"),
        ("StudyInstanceUID,edema,mass", "1.1,1,", "1.2,1,", "2.1,0,1"),
        ("file,edema,mass", "IM0.dcm,1,-1", "IM1.dcm,1,-1", "IM2,0,1"),
    ],
)
def test_a_column_for_each_class(tmp_path: Path, lines: tuple[str, ...]) -> None:
    found = _joined(tmp_path, *lines)
    assert found.labels.several
    assert found.labels.classes == ("edema", "mass")
    labels = {name: row.label for name, (row,) in found.said.items()}
    first = labels["a/IM0.dcm"]
    assert isinstance(first, tuple)
    np.testing.assert_array_equal(first, [1, np.nan])
    assert str(labels["a/IM1.dcm"]) == str(first)
    assert labels["b/IM2"] == (0, 1)


def test_several_labels_in_one_column(tmp_path: Path) -> None:
    found = _joined(tmp_path, "patient,labels", "p1,edema|mass", "p2,none")
    assert (found.labels.classes, found.labels.several) == (("edema", "mass"), True)
    assert found.said["a/IM1.dcm"][0].label == (1, 1)
    assert found.said["b/IM2"][0].label == (0, 0)


def test_further_columns_are_attributes_splits_and_groups(tmp_path: Path) -> None:
    found = _joined(
        tmp_path,
        "study,patient,split,label,sex,age",
        "1.1,x,train,ill,F,61",
        "1.2,x,train,ill,F,62",
        "2.1,y,test,well,M,40",
    )
    (first,), (last,) = found.said["a/IM0.dcm"], found.said["b/IM2"]
    assert first.attributes == {"sex": "F", "age": "61"}
    assert (first.group, first.split, last.group, last.split) == ("x", "train", "y", "test")
    assert found.group_word == "patient"


def test_rows_of_one_patient_keep_the_attributes_on_which_they_agree(tmp_path: Path) -> None:
    found = _joined(
        tmp_path, "patient,label,sex,age", "p1,ill,F,61", "p1,ill,F,62", "p1,ill,F,61", "p2,well,M,"
    )
    assert found.said["a/IM0.dcm"][0].attributes == {"sex": "F"}
    assert found.said["b/IM2"][0].attributes == {"sex": "M", "age": ""}
    assert (found.said["b/IM2"][0].group, found.group_word) == (None, None)


def test_unknown_entries_contradict_nothing_but_known_ones(tmp_path: Path) -> None:
    lines = ("patient,edema", "p1,", "p2,1", "p1,")
    assert _joined(tmp_path, *lines).said["b/IM2"][0].label == (1,)
    with pytest.raises(DataError, match="rows 1 and 4 contradict each other about 'p1'"):
        _joined(tmp_path, *lines, "p1,1")


def test_names_may_lack_the_ending_of_dicom_alone(tmp_path: Path) -> None:
    found = _joined(tmp_path, "file,label", "IM0,ill", "IM1,ill", "IM2,well")
    assert [row.label for (row,) in found.said.values()] == [0, 0, 1]
    with pytest.raises(DataError, match="matches no file, for example 'IM3'"):
        _joined(tmp_path, "file,label", "IM0,ill", "IM3,well")


def test_a_table_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="columns patient, who. Name one column label"):
        _joined(tmp_path, "patient,who", "p1,a", "p2,b")
