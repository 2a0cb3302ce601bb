"""Which column of a table joins its rows to DICOM files: by path, file name, study or patient."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from medistill.data.table_file import Table
from medistill.data.table_images import OWN_COLUMNS, PATH, PATH_NAMES, PATIENT_IDS

Kind = Literal["path", "file", "study", "patient"]

FILE = "file"
_NAMES = tuple(name for name in PATH_NAMES if name != FILE)
_STUDIES = ("study", "studyinstanceuid")
_PATIENTS = ("patient", *PATIENT_IDS)
#: Columns that can join rows to files and are neither classes nor attributes.
KEY_COLUMNS = OWN_COLUMNS.union((FILE,), _STUDIES, _PATIENTS)
_DICOM_ENDS = (".dcm", ".dicom")


@dataclass(frozen=True)
class Key:
    """What joins rows to files.

    Attributes:
        kind: what its cells are.
        column: the column that holds it.
    """

    kind: Kind
    column: str


def key_of(table: Table, names: Collection[str]) -> Key | None:
    """The narrowest key that a table has, if any.

    First ``path`` and ``file``, then another name of these (``image``, ``filename``) if any of its
    cells is a file, then the study and the patient. Cells with folders are paths.

    Args:
        table: the table.
        names: of all files, to tell whether cells are files.

    Raises:
        DataError: two columns for one of these.
    """
    if PATH in table.columns:
        return Key("path", PATH)
    if FILE in table.columns:
        return _by_file(table, FILE)
    files = {form for name in names for form in (name, *_base_forms(name))}
    meant = tuple(name for name in _NAMES if name in table.columns and _hits(table, name, files))
    if column := table.one_of(meant, meant=PATH):
        return _by_file(table, column)
    if column := table.one_of(_STUDIES):
        return Key("study", column)
    if column := table.one_of(_PATIENTS):
        return Key("patient", column)
    other = table.one_of(_NAMES, meant=PATH)
    return _by_file(table, other) if other else None


def without_end(word: str) -> str:
    """A file name without the ending of DICOM."""
    end = next((end for end in _DICOM_ENDS if word.lower().endswith(end)), "")
    return word[: len(word) - len(end)]


def _by_file(table: Table, column: str) -> Key:
    folders = any("/" in row[column] or "\\" in row[column] for row in table.rows)
    return Key("path" if folders else "file", column)


def _base_forms(name: str) -> tuple[str, str, str]:
    base = name.rpartition("/")[2]
    return base, without_end(base), without_end(name)


def _hits(table: Table, column: str, files: Collection[str]) -> bool:
    return any(row[column].replace("\\", "/") in files for row in table.rows)
