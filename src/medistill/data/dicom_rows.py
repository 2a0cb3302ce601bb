"""What the rows of a table say of DICOM files, joined by path, file name, study or patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.data.dicom_groups import shared_ids
from medistill.data.table_file import Table, agreed, filled
from medistill.data.table_images import (
    OWN_COLUMNS,
    PATIENT_IDS,
    group_column,
    slashed,
    splits_of,
)
from medistill.data.table_labels import Labels, attributes_of_rows, labels_of
from medistill.imaging.identity import Identity

#: What joins a row to files, the narrowest first, and the columns that hold it.
_KEYS = {
    "path": ("path",),
    "file": ("file",),
    "study": ("study", "studyinstanceuid"),
    "patient": ("patient", *PATIENT_IDS),
}
_OWN = OWN_COLUMNS.union(*_KEYS.values())
_DICOM_ENDS = (".dcm", ".dicom")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a table says of one file.

    Attributes:
        label: as ``Sample.label``.
        split: train, val, test or None.
        group: what must not be cut by a split, or None where no column says so.
        attributes: further columns; rows of one key keep what they agree on.
    """

    label: int | tuple[float, ...] | None = None
    split: str | None = None
    group: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """A table joined to files.

    Attributes:
        labels: the classes, and one label a row.
        said: by file name, of the files that have a row.
        group_word: what a group of the table is; None where no column says so.
    """

    labels: Labels
    said: Mapping[str, Said]
    group_word: str | None


def joined(
    table: Table,
    root: Path,
    names: Collection[str],
    known: Mapping[str, Identity],
    *,
    least_classes: int = 2,
) -> Joined:
    """Join rows to files by the narrowest of the columns that can.

    Args:
        table: with labels as a table of images has them, and ``path``, ``file``, ``study``
            (``StudyInstanceUID``) or ``patient`` (``PatientID``).
        root: what paths are relative to.
        names: of all files.
        known: identifiers by name.
        least_classes: how many classes it must name, unless it is multi-label.

    Raises:
        DataError: no such columns, a row that matches no file, a file name of several folders, a
            patient id of several issuers, or rows of one value that contradict each other.
    """
    labels = labels_of(table, _OWN, least_classes=least_classes)
    key, column = _key(table)
    if labels is None or not column:
        raise DataError(
            where=table.path,
            what=f"has the columns {', '.join(table.columns)}",
            cure="Name one column label (or labels, or one of 1 and 0 for each class), and one "
            "path, file, study or patient.",
        )
    values = filled(table, column)
    if key == "path":
        values = [slashed(root, value) for value in values]
    own = group_column(table)
    own = None if own == column else own
    groups = filled(table, own) if own else [None] * len(values)
    rows = agreed(table, values, list(zip(labels.values, splits_of(table), groups, strict=True)))
    keys = {name: _key_of(name, known.get(name), key, rows) for name in names}
    _check(table, key, rows, keys, known)
    shared = _agreed_attributes(values, attributes_of_rows(table, _OWN, labels))
    said = {
        name: Said(label=label, split=split, group=group, attributes=shared[value])
        for name, value in keys.items()
        if value in rows
        for label, split, group in [rows[value]]
    }
    return Joined(labels, said, own and ("group" if own == "group" else "patient"))


def _key(table: Table) -> tuple[str, str]:
    found = ((key, table.one_of(columns)) for key, columns in _KEYS.items())
    return next(((key, column) for key, column in found if column), ("", ""))


def _agreed_attributes(
    values: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Of each value what its rows agree on: a patient may have been scanned at two ages."""
    found: dict[str, dict[str, str]] = {}
    for value, row in zip(values, rows, strict=True):
        before = found.get(value, row)
        found[value] = {k: v for k, v in row.items() if before.get(k) == v}
    return found


def _key_of(name: str, identity: Identity | None, key: str, rows: Collection[str]) -> str:
    if key not in ("path", "file"):
        return str(getattr(identity, key)) if identity is not None else ""
    word = name if key == "path" else name.rpartition("/")[2]
    end = next((end for end in _DICOM_ENDS if word.lower().endswith(end)), "")
    plain = word[: len(word) - len(end)]
    return plain if word not in rows and plain in rows else word


def _check(
    table: Table,
    key: str,
    rows: Collection[str],
    keys: Mapping[str, str],
    known: Mapping[str, Identity],
) -> None:
    """Every row must mean files, and which ones must be beyond doubt."""
    held = Counter(keys.values())
    strangers = [value for value in rows if not held[value]]
    cure = "Remove these rows, or add the files."
    if {_without_zeros(value) for value in strangers} & {_without_zeros(each) for each in held}:
        cure = "Write them as the files do: spreadsheets drop the zeros in front of numbers."
    _refuse(table, key, strangers, "matches|match no file", cure)
    if key == "file":
        several = [value for value in rows if held[value] > 1]
        cure = "Name a column path (with the folders) or patient instead of file."
        _refuse(table, key, several, "stands|stand for several files", cure)
    if key == "patient":
        shared = sorted(shared_ids(known).intersection(rows))
        cure = "Name a column study or path instead of patient."
        _refuse(table, key, shared, "stands|stand for several patients, by their issuers", cure)


def _without_zeros(value: str) -> str:
    return value.lstrip("0")


def _refuse(table: Table, key: str, values: Collection[str], fault: str, cure: str) -> None:
    if values:
        fault = counted(len(values), f"value|values of '{key}' {fault}")
        what = f"{fault}, for example '{min(values)}'"
        raise DataError(where=table.path, what=what, cure=cure)
