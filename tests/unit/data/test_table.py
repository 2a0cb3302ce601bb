"""A CSV file with any subset of its columns, and everything that can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.table import read_table


def _write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def test_path_and_label_are_enough(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,label", "b.png,ill", "sub/./a.png,well"))
    assert (images.name, images.task, images.group_word) == ("table", "single-label", "image")
    assert images.classes == ("ill", "well")
    assert [(s.name, s.label, s.group, s.split) for s in images.samples] == [
        ("b.png", 0, "b.png", None),
        ("sub/a.png", 1, "sub/a.png", None),
    ]
    assert images.samples[0].path == tmp_path / "b.png"
    assert "No patient ids" in images.caveats[0]


def test_all_columns_in_any_order_and_case(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "Sex,Split,Patient,Label,Path,Site",
        "F,Training,p1,ill,1.png,A",
        "M,val,p2,well,2.png,B",
        ",,p1,unlabelled,3.png,",
    )
    images = read_table(path)
    assert [(s.name, s.label, s.group, s.split) for s in images.samples] == [
        ("1.png", 0, "p1", "train"),
        ("2.png", 1, "p2", "val"),
        ("3.png", None, "p1", None),
    ]
    assert images.samples[0].attributes == {"sex": "F", "site": "A"}
    assert (images.group_word, images.caveats) == ("patient", ())


def test_group_is_not_called_patient(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,label,group", "1.png,a,g", "2.png,b,g"))
    assert images.group_word == "group"
    assert "No patient ids" in images.caveats[0]


def test_bars_make_a_multi_label_set(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,labels", "1.png,a|b", "2.png,none", "3.png,b"))
    assert (images.task, images.classes) == ("multi-label", ("a", "b"))
    assert [s.label for s in images.samples] == [(1, 1), (0, 0), (0, 1)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("path,label",), "lists no image"),
        (("where,label", "1.png,a"), r"has no column 'path' \(it has: where, label\)"),
        (("path,class", "1.png,a"), "has no column 'label'"),
        (("path,ill,old", "1.png,,", "2.png,,"), "'ill' is blank in every row, and there is no"),
        (("path,label,labels", "1.png,a,b"), "both a column 'label' and a column 'labels'"),
        (
            ("path,label,patient,group", "1.png,a,p,g", "2.png,b,p,g"),
            "'patient' and a column 'group'",
        ),
        (("path,label,Path", "1.png,a,1.png"), "has two columns called 'path'"),
        (("path,label", "1.png,a", "2.png"), "row 2 has 1 cells, the header 2"),
        (("path,label", "1.png,a,x", "2.png,b"), "row 1 has 3 cells, the header 2"),
        (("path,label", "1.png,a", "2.png,", "3.png,"), "column 'label' is empty in rows 2, 3"),
        (("path,label", "1.png,a", ",b"), "column 'path' is empty in row 2"),
        (("path,label,patient", "1.png,a,", "2.png,b,p"), "'patient' is empty in row 1"),
        (("path,label,split", "1.png,a,dev", "2.png,b,"), "row 1 has the unknown split 'dev'"),
        (("path,label", "1.png,a", "./1.png,b"), r"lists 1 image more than once.* 1\.png"),
        (("path,label", "1.png,a", "x/../1.png,b"), r"more than once.* 1\.png"),
        (("path,label", "1.png,a", "2.png,a"), "has only the class 'a'"),
        (("path,label", '1.png,"a', "2.png,b"), "is not a CSV file"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(_write(tmp_path, *lines))


def test_many_empty_rows_are_counted(tmp_path: Path) -> None:
    rows = [f"{n}.png," for n in range(10)]
    with pytest.raises(DataError, match="is empty in rows 1, 2, 3 and 7 more"):
        read_table(_write(tmp_path, "path,label", *rows))


def test_columns_that_are_labels_are_no_subgroups(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,ill,old,sex", "1.png,1,,F", "2.png,0,1,M"))
    assert images.classes == ("ill", "old")
    assert [sample.attributes for sample in images.samples] == [{"sex": "F"}, {"sex": "M"}]


def test_uncertain_labels_of_one_column_are_no_class_and_said(tmp_path: Path) -> None:
    lines = ("1.png,1", "2.png,0", "3.png,-1")
    images = read_table(_write(tmp_path, "path,label", *lines))
    assert images.classes == ("0", "1")
    assert [sample.label for sample in images.samples] == [1, 0, None]
    assert "1 image is labelled -1 and taken for unlabelled." in images.caveats


def test_columns_without_a_finding_are_said(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,edema,fracture", "1.png,1,0", "2.png,0,-1"))
    assert images.classes == ("edema",)
    assert "Column without a single 1 is no class: 'fracture'." in images.caveats


def test_the_columns_of_padchest_are_read_as_they_are_published(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        ",ImageID,ImageDir,StudyID,PatientID,Projection,Labels",
        "0,a.png,0,s1,p1,PA,\"['normal']\"",
        "1,b.png,12,s2,p2,L,\"['pneumonia', 'pleural effusion ']\"",
        "2,c.png,,s3,p2,L,[]",
    )
    images = read_table(path)
    assert (images.task, images.group_word) == ("multi-label", "patient")
    assert images.classes == ("normal", "pleural effusion", "pneumonia")
    assert [(s.name, s.label, s.group) for s in images.samples] == [
        ("0/a.png", (1, 0, 0), "p1"),
        ("12/b.png", (0, 1, 1), "p2"),
        ("c.png", (0, 0, 0), "p2"),
    ]
    assert images.samples[1].path == tmp_path / "12" / "b.png"
    assert images.samples[0].attributes == {"studyid": "s1", "projection": "PA"}


def test_an_image_without_its_name_is_empty_whatever_its_folder(tmp_path: Path) -> None:
    path = _write(tmp_path, "ImageID,ImageDir,label", "a.png,0,ill", ",1,well")
    with pytest.raises(DataError, match="is empty in row 2"):
        read_table(path)
