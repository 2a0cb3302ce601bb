"""Which column joins rows to DICOM files."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.dicom_keys import Key, key_of, without_end
from medistill.data.table_file import Table, load_table

FILES = ("a/IM0.dcm", "a/IM1.dcm", "b/IM2")


def _table(folder: Path, *lines: str) -> Table:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines))
    return load_table(path)


@pytest.mark.parametrize(
    ("head", "first", "key"),
    [
        ("path,file,image", "a/IM0.dcm,IM0,IM0", Key("path", "path")),
        ("patient,file,image", "p1,IM0,IM0", Key("file", "file")),
        ("patient,file", "p1,a\\IM0.dcm", Key("path", "file")),
        ("patient,filename", "p1,IM0", Key("file", "filename")),
        ("patient,Image", "p1,a/IM0", Key("path", "image")),
        ("image,StudyInstanceUID", "7,1.1", Key("study", "studyinstanceuid")),
        ("image,filename,PatientID", "7,IM2,p1", Key("file", "filename")),
        ("image,PatientID", "7,p1", Key("patient", "patientid")),
        ("image,sex", "7,F", Key("file", "image")),
        ("where,sex", "7,F", None),
    ],
)
def test_the_narrowest_column_whose_cells_are_files(
    tmp_path: Path, head: str, first: str, key: Key | None
) -> None:
    assert key_of(_table(tmp_path, head, first), FILES) == key


def test_two_names_of_files_are_refused(tmp_path: Path) -> None:
    table = _table(tmp_path, "image,filename", "IM0,IM1")
    with pytest.raises(DataError, match="'image' and a column 'filename'. Call the one .* 'path'"):
        key_of(table, FILES)


def test_only_endings_of_dicom_are_left_out() -> None:
    assert [without_end(w) for w in ("a.dcm", "a.DICOM", "1.2.3")] == ["a", "a", "1.2.3"]
