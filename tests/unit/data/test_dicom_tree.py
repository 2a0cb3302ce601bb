"""A tree of DICOM files: labels by file, study or patient, grouped by patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ComprehensiveSRStorage

from medistill.core.errors import DataError
from medistill.data.dicom_tree import is_dicom_tree, read_dicom_tree
from medistill.data.layouts import read_data
from tests.unit.imaging.dicom_files import dataset_of, encoded, save

PIXELS = np.arange(16, dtype=np.uint8).reshape(4, 4)


def _tree(root: Path, table: str, *, patient: bool = True) -> Path:
    for number, (who, study) in enumerate((("p1", "1.1"), ("p1", "1.2"), ("p2", "2.1"))):
        ids = {"PatientID": who if patient else "", "StudyInstanceUID": study}
        save(root / who / study / f"IM{number}", PIXELS + number, Manufacturer="Maker", **ids)
    (root / "labels.csv").write_text(table)
    return root


@pytest.mark.parametrize(
    "table",
    [
        "patient,label\np1,ill\np2,well\n",
        "study,label\n1.1,ill\n1.2,ill\n2.1,well\n",
        "file,label\nIM0,ill\nIM1,ill\nIM2,well\n",
        "path,label\np1/1.1/IM0,ill\np1/1.2/IM1,ill\np2/2.1/IM2,well\n",
    ],
)
def test_labels_by_file_study_and_patient(tmp_path: Path, table: str) -> None:
    root = _tree(tmp_path, table)
    assert is_dicom_tree(root)
    images = read_dicom_tree(root)
    assert [s.name for s in images.samples] == ["p1/1.1/IM0", "p1/1.2/IM1", "p2/2.1/IM2"]
    assert [s.label for s in images.samples] == [0, 0, 1]
    assert [s.group for s in images.samples] == ["patient p1", "patient p1", "patient p2"]
    assert (images.group_word, images.caveats) == ("patient", ())
    assert images.samples[0].attributes == {"device": "Maker"}


def test_without_patients_the_study_is_the_group(tmp_path: Path) -> None:
    images = read_dicom_tree(_tree(tmp_path, "study,label\n1.1,a\n2.1,b\n", patient=False))
    assert [s.group for s in images.samples] == ["study 1.1", "study 1.2", "study 2.1"]
    assert [s.label for s in images.samples] == [0, None, 1]
    assert "1 file has no row" in images.caveats[-1]


def test_rows_without_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 value of 'patient' matches no file, for example 'p9'"):
        read_dicom_tree(_tree(tmp_path, "patient,label\np1,a\np2,b\np9,a\n"))


def test_contradictory_rows_are_refused_and_equal_ones_are_not(tmp_path: Path) -> None:
    root = _tree(tmp_path, "patient,label\np1,ill\np2,well\np1,well\n")
    with pytest.raises(DataError, match="rows 1 and 3 contradict each other about 'p1'. Keep the"):
        read_dicom_tree(root)
    (root / "labels.csv").write_text("patient,label\np1,ill\np2,well\np1,ill\n")
    assert [s.label for s in read_dicom_tree(root).samples] == [0, 0, 1]


def test_file_names_of_several_folders_are_refused(tmp_path: Path) -> None:
    for who in ("p1", "p2", "p3"):
        save(tmp_path / who / "IM1.dcm", PIXELS, PatientID=who)
    save(tmp_path / "p3" / "IM2.dcm", PIXELS, PatientID="p3")
    (tmp_path / "labels.csv").write_text("file,label\nIM1.dcm,ill\nIM2.dcm,well\n")
    words = r"1 value of 'file' stands for several files, .* 'IM1\.dcm'.* path .* or patient"
    with pytest.raises(DataError, match=words):
        read_dicom_tree(tmp_path)


def test_labels_join_the_patient_id_without_its_issuer(tmp_path: Path) -> None:
    issuers = {"a": {"IssuerOfPatientID": "here"}, "b": {}}
    for name, issuer in issuers.items():
        save(tmp_path / f"{name}.dcm", PIXELS, PatientID="p1", **issuer)
    save(tmp_path / "c.dcm", PIXELS, PatientID="p2", IssuerOfPatientID="here")
    table = "patient,label\np1,ill\np2,well\n"
    (tmp_path / "labels.csv").write_text(table)
    images = read_dicom_tree(tmp_path)
    assert [s.label for s in images.samples] == [0, 0, 1]
    assert [s.group for s in images.samples] == ["patient p1", "patient p1", "patient p2"]
    save(tmp_path / "d.dcm", PIXELS, PatientID="p1", IssuerOfPatientID="there")
    words = r"stands for several patients, by their issuers, for example 'p1'\. Name a column study"
    with pytest.raises(DataError, match=words):
        read_dicom_tree(tmp_path)


def test_table_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Name one column label .*, and one path"):
        read_dicom_tree(_tree(tmp_path, "who,label\np1,a\np2,b\n"))


def test_loop_of_links_ends(tmp_path: Path) -> None:
    root = _tree(tmp_path, "patient,label\np1,ill\np2,well\n")
    (root / "p1" / "loop").symlink_to(root)
    assert len(read_dicom_tree(root).samples) == 3


def test_reports_are_left_out_and_counted(tmp_path: Path) -> None:
    root = _tree(tmp_path, "study,label\n1.1,ill\n1.2,ill\n2.1,well\n")
    report = dataset_of(PIXELS, PatientID="p2", StudyInstanceUID="2.1")
    report.SOPClassUID = ComprehensiveSRStorage
    (root / "p2" / "2.1" / "SR1").write_bytes(encoded(report))
    images = read_dicom_tree(root)
    assert [s.name for s in images.samples] == ["p1/1.1/IM0", "p1/1.2/IM1", "p2/2.1/IM2"]
    (caveat,) = images.caveats
    assert caveat.startswith("1 DICOM file holds no picture")
    assert caveat.endswith("for example p2/2.1/SR1.")


def test_linked_folders_are_read(tmp_path: Path) -> None:
    root = _tree(tmp_path / "tree", "patient,label\np1,ill\np2,well\n")
    (root / "p2").rename(tmp_path / "p2")
    (root / "p2").symlink_to(tmp_path / "p2")
    assert len(read_dicom_tree(root).samples) == 3


def test_uncertain_labels_are_not_said_to_have_no_row(tmp_path: Path) -> None:
    images = read_dicom_tree(_tree(tmp_path, "study,label\n1.1,0\n1.2,1\n2.1,-1\n"))
    assert [s.label for s in images.samples] == [0, 1, None]
    assert images.caveats == ("1 image is labelled -1 and taken for unlabelled.",)


@pytest.mark.parametrize("head", ["PatientID", "patient_id"])
def test_patients_are_read_however_their_column_is_headed(tmp_path: Path, head: str) -> None:
    images = read_dicom_tree(_tree(tmp_path, f"{head},label\np1,ill\np2,well\n"))
    assert {s.label for s in images.samples} == {0, 1}


def test_a_path_goes_before_a_column_of_ids(tmp_path: Path) -> None:
    rows = ("p1/1.1/IM0,x,ill", "p1/1.2/IM1,x,ill", "p2/2.1/IM2,y,well")
    table = "\n".join(["path,PatientID,label", *rows])
    images = read_dicom_tree(_tree(tmp_path, table))
    assert [sample.label for sample in images.samples] == [0, 0, 1]


def test_paths_of_windows_are_read(tmp_path: Path) -> None:
    table = "path,label\np1\\1.1\\IM0,ill\np1\\1.2\\IM1,ill\np2\\2.1\\IM2,well\n"
    images = read_dicom_tree(_tree(tmp_path, table))
    assert [sample.label for sample in images.samples] == [0, 0, 1]


def test_zeros_that_a_spreadsheet_dropped_are_named(tmp_path: Path) -> None:
    for number in (7, 12):
        path = tmp_path / f"IM{number}"
        save(path, np.zeros((4, 4), np.uint8), PatientID=f"{number:04}")
    (tmp_path / "labels.csv").write_text("patient,label\n7,ill\n12,well\n")
    with pytest.raises(DataError, match="2 values of 'patient' match no file.*spreadsheets drop"):
        read_dicom_tree(tmp_path)


def test_files_without_a_row_go_where_the_table_puts_their_patient(tmp_path: Path) -> None:
    table = "path,group,label\np1/1.1/IM0,family,ill\np2/2.1/IM2,other,well\n"
    images = read_dicom_tree(_tree(tmp_path, table))
    assert [s.group for s in images.samples] == ["family", "family", "other"]
    assert [s.label for s in images.samples] == [0, None, 1]
    assert images.group_word == "group"


def test_a_patient_of_the_files_in_several_groups_of_the_table_is_said(tmp_path: Path) -> None:
    rows = ("p1/1.1/IM0,a,ill", "p1/1.2/IM1,b,ill", "p2/2.1/IM2,c,well")
    images = read_dicom_tree(_tree(tmp_path, "\n".join(["path,patient,label", *rows])))
    assert [s.group for s in images.samples] == ["a", "b", "c"]
    assert images.group_word == "patient"
    assert "several groups of the table, for example 'p1'" in images.caveats[0]


def test_one_of_several_tables_is_given_itself(tmp_path: Path) -> None:
    root = _tree(tmp_path, "study,label\n1.1,ill\n1.2,ill\n2.1,well\n")
    (root / "ages.csv").write_text("patient,age\np1,61\np2,40\n")
    (root / "other.csv").write_text("patient,label\np1,well\np2,ill\n")
    assert is_dicom_tree(root)
    words = r"holds 3 tables .*: ages.csv, labels.csv, other.csv\. Give .*labels.csv, instead"
    with pytest.raises(DataError, match=words):
        read_data(root, cache=tmp_path / "cache")
    (root / "z.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"holds 4 tables .*, other.csv and 1 more\."):
        read_dicom_tree(root)
    for name, labels in (("labels.csv", [0, 0, 1]), ("other.csv", [1, 1, 0])):
        images = read_data(root / name, cache=tmp_path / "cache")
        assert (images.name, images.root) == ("dicom", root / name)
        assert [sample.label for sample in images.samples] == labels
        assert [s.name for s in images.samples] == ["p1/1.1/IM0", "p1/1.2/IM1", "p2/2.1/IM2"]
    assert not is_dicom_tree(root / "ages.csv")


def test_tables_that_say_no_labels_leave_folders_to_be_classes(tmp_path: Path) -> None:
    for number, word in enumerate("aabb"):
        save(tmp_path / word / f"{number}.dcm", PIXELS + number, PatientID=f"p{number}")
    for name in ("x.csv", "y.csv"):
        (tmp_path / name).write_text("patient,age\np1,61\np2,40\n")
    assert not is_dicom_tree(tmp_path)
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert (images.name, images.classes) == ("folder", ("a", "b"))


def test_a_table_of_paths_stays_a_table(tmp_path: Path) -> None:
    root = _tree(tmp_path, "path,label\ngone.dcm,ill\np1/1.1/IM0,ill\np2/2.1/IM2,well\n")
    assert not is_dicom_tree(root / "labels.csv")


def test_a_tree_without_a_table_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.dcm", PIXELS)
    with pytest.raises(DataError, match=r"holds no table \(CSV\)\. Put one"):
        read_dicom_tree(tmp_path)


@pytest.mark.parametrize("folders", [True, False])
def test_files_are_joined_however_their_column_is_headed(tmp_path: Path, folders: bool) -> None:
    places = ("p1/1.1/IM0", "p1/1.2/IM1", "p2/2.1/IM2")
    cells = [place if folders else place[-3:] for place in places]
    lines = [f"{cell},{label}" for cell, label in zip(cells, ("a", "b", "b"), strict=True)]
    images = read_dicom_tree(_tree(tmp_path, "\n".join(["Filename,label", *lines])))
    assert [sample.label for sample in images.samples] == [0, 1, 1]
    assert all("filename" not in sample.attributes for sample in images.samples)
    (tmp_path / "labels.csv").write_text("Filename,label\nIM7,a\nIM2,b\n")
    with pytest.raises(DataError, match="1 value of 'filename' matches no file"):
        read_dicom_tree(tmp_path)


def test_another_column_called_image_is_an_attribute(tmp_path: Path) -> None:
    images = read_dicom_tree(_tree(tmp_path, "patient,image,label\np1,7,ill\np2,8,well\n"))
    assert [s.label for s in images.samples] == [0, 0, 1]
    assert images.samples[0].attributes["image"] == "7"


def test_a_study_without_patient_in_several_groups_of_the_table_is_said(tmp_path: Path) -> None:
    for number, study in enumerate(("1.1", "1.1", "2.1")):
        ids = {"PatientID": "", "StudyInstanceUID": study}
        save(tmp_path / f"IM{number}", PIXELS + number, **ids)
    rows = ("IM0,a,ill", "IM1,b,ill", "IM2,c,well")
    (tmp_path / "labels.csv").write_text("\n".join(["path,patient,label", *rows]))
    images = read_dicom_tree(tmp_path)
    assert [s.group for s in images.samples] == ["a", "b", "c"]
    assert images.caveats == (
        "1 study of files without a patient id lies in several groups of the table, for example "
        "'1.1': the table is believed.",
    )
    (tmp_path / "labels.csv").write_text("path,patient,label\nIM0,a,ill\nIM1,a,ill\nIM2,c,well\n")
    assert read_dicom_tree(tmp_path).caveats == ()
