"""Which files a table's rows name, and whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.table import read_table
from medistill.data.table_file import load_table
from medistill.data.table_images import lists_images, own_columns, path_column
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_patients_are_folders_where_no_column_names_them(tmp_path: Path) -> None:
    head = "Path,Sex,Edema,Cardiomegaly"
    # As CheXpert publishes it: paths begin with the name of the folder of the table.
    folder = tmp_path / "CheXpert-v1.0-small"
    rows = [
        f"CheXpert-v1.0-small/train/patient{p:05}/study{s}/view1_frontal.png,F,{p % 2}.0,"
        for p in range(4)
        for s in (1, 2)
    ]
    first = folder / "train/patient00000/study1/view1_frontal.png"
    first.parent.mkdir(parents=True)
    save_noise(first, 0)
    images = read_table(_write(folder, head, *rows))
    assert images.samples[0].path.resolve() == first.resolve()
    assert images.samples[0].attributes == {"sex": "F", "cardiomegaly": ""}
    assert [sample.group for sample in images.samples[:3]] == [
        *["patient00000"] * 2,
        "patient00001",
    ]
    assert images.group_word == "patient"
    assert not any("No patient ids" in caveat for caveat in images.caveats)
    assert not any(sample.guessed for sample in images.samples)


def test_one_path_without_a_patient_leaves_all_without(tmp_path: Path) -> None:
    rows = ("patient1/a.png,x", "patient2/b.png,y", "c.png,x")
    images = read_table(_write(tmp_path, "path,label", *rows))
    assert images.group_word == "image"


def test_table_lists_images_where_the_first_is_there(tmp_path: Path) -> None:
    path = _write(tmp_path, "path,label", "a/1.png,x", "b/2.png,y")
    assert not lists_images(path)
    (tmp_path / "a").mkdir()
    save_noise(tmp_path / "a/1.png", 0)
    assert lists_images(path)
    assert lists_images(_write(tmp_path, "file_name,label", "a/1.png,x"))
    assert not lists_images(_write(tmp_path, "where,label", "a/1.png,x"))
    assert not lists_images(_write(tmp_path, "file,image,label", "a/1.png,a/1.png,x"))


def test_paths_of_windows_are_read(tmp_path: Path) -> None:
    save_noise(tmp_path / "img" / "0.png", 0)
    table = _write(tmp_path, "path,label", "img\\0.png,a", r".\img\deep\1.png,b")
    assert lists_images(table)
    images = read_table(table)
    assert [sample.name for sample in images.samples] == ["img/0.png", "img/deep/1.png"]
    assert images.samples[0].path == tmp_path / "img" / "0.png"


def test_a_backslash_in_a_file_name_is_kept(tmp_path: Path) -> None:
    save_noise(tmp_path / "a\\0.png", 0)
    images = read_table(_write(tmp_path, "path,label", "a\\0.png,a", "1.png,b"))
    assert [sample.name for sample in images.samples] == ["1.png", "a\\0.png"]


def test_absolute_paths_are_kept(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,label", "/pool/1.png,a", "2.png,b"))
    assert images.samples[0].path == Path("/pool/1.png")


def test_copies_share_a_group_where_none_is_given(tmp_path: Path) -> None:
    data = save_noise(tmp_path / "1.png", 0).read_bytes()
    (tmp_path / "2.png").write_bytes(data)
    images = read_table(_write(tmp_path, "path,label", "2.png,a", "1.png,b"))
    assert [sample.group for sample in images.samples] == ["1.png", "1.png"]


@pytest.mark.parametrize("head", ["PatientID", "patient_id", "Patient ID", "Patient-ID"])
def test_patients_are_read_however_their_column_is_headed(tmp_path: Path, head: str) -> None:
    images = read_table(_write(tmp_path, f"path,label,{head}", "1.png,a,007", "2.png,b,08"))
    assert [sample.group for sample in images.samples] == ["007", "08"]
    assert (images.group_word, images.caveats) == ("patient", ())
    assert not any(sample.attributes or sample.guessed for sample in images.samples)


def test_a_column_patient_goes_before_another_of_ids(tmp_path: Path) -> None:
    path = _write(tmp_path, "path,label,patient_id,patient", "1.png,a,x,p", "2.png,b,y,p")
    assert [sample.group for sample in read_table(path).samples] == ["p", "p"]


def test_patients_that_differ_in_zeros_in_front_are_refused(tmp_path: Path) -> None:
    rows = ("1.png,a,007", "2.png,b,8", "3.png,b,7")
    with pytest.raises(DataError, match="'007' and '7' differ in the zeros in front alone"):
        read_table(_write(tmp_path, "path,label,patient", *rows))
    # In words zeros mean something.
    rows = ("1.png,a,x07", "2.png,b,x7", "3.png,b,0x7")
    assert len(read_table(_write(tmp_path, "path,label,patient", *rows)).samples) == 3


def test_patients_of_dicom_files_are_groups_where_no_column_names_them(tmp_path: Path) -> None:
    for number, who in enumerate(("p1", "p1", "p2")):
        pixels = np.full((4, 4), number, np.uint8)
        save(tmp_path / f"{number}.dcm", pixels, PatientID=who, Manufacturer="Maker")
    rows = [f"{number}.dcm,{label}" for number, label in enumerate(("ill", "well", "well"))]
    images = read_table(_write(tmp_path, "path,label", *rows))
    assert [s.group for s in images.samples] == ["patient p1", "patient p1", "patient p2"]
    assert (images.group_word, images.caveats) == ("patient", ())
    assert not any(s.guessed for s in images.samples)
    assert images.samples[0].attributes == {"device": "Maker"}
    save_noise(tmp_path / "3.png", 0)
    images = read_table(_write(tmp_path, "path,label", *rows, "3.png,ill"))
    assert images.group_word == "patient or study"
    assert [s.guessed for s in images.samples] == [False, False, False, True]
    # What a column says goes before.
    rows = [f"{row},g{number}" for number, row in enumerate(rows)]
    images = read_table(_write(tmp_path, "path,label,group", *rows))
    assert [s.group for s in images.samples] == ["g0", "g1", "g2"]


@pytest.mark.parametrize("head", ["image", "Filename", "file", "file_name", "image_path", "Img"])
def test_files_are_read_however_their_column_is_headed(tmp_path: Path, head: str) -> None:
    images = read_table(_write(tmp_path, f"{head},label,sex", "1.png,a,F", "2.png,b,M"))
    assert [sample.path for sample in images.samples] == [tmp_path / "1.png", tmp_path / "2.png"]
    assert images.samples[0].attributes == {"sex": "F"}
    classes = read_table(_write(tmp_path, f"{head},edema,mass", "1.png,1,0", "2.png,0,1"))
    assert classes.classes == ("edema", "mass")


def test_path_goes_before_its_other_names_and_two_of_these_are_refused(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "image,path,label", "left,1.png,a", "right,2.png,b"))
    assert [sample.name for sample in images.samples] == ["1.png", "2.png"]
    assert images.samples[0].attributes == {"image": "left"}
    path = _write(tmp_path, "image,filename,label", "7,1.png,a", "8,2.png,b")
    words = r"both a column 'image' and a column 'filename'\. Call the one that is meant 'path'"
    with pytest.raises(DataError, match=words):
        read_table(path)


def test_columns_say_what_they_are_for(tmp_path: Path) -> None:
    table = load_table(_write(tmp_path, "filename,label,sex", "1.png,a,F"))
    assert path_column(table) == "filename"
    assert {"filename", "label"} <= own_columns(table)
    assert "sex" not in own_columns(table)
    assert path_column(load_table(_write(tmp_path, "where,label", "1.png,a"))) is None
