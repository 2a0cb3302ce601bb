"""What the rows of a table say of DICOM files, joined by path, file name, study or patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.data.dicom_groups import shared_ids
from medistill.data.dicom_keys import KEY_COLUMNS, Key, key_of, without_end
from medistill.data.table_file import LABELS, Table, agreed, filled
from medistill.data.table_frames import Frames, check_frames, framed, frames_of
from medistill.data.table_images import group_column, slashed, splits_of
from medistill.data.table_labels import Labels, attributes_of_rows, labels_of, read_class_columns
from medistill.imaging.identity import Identity


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a table says of one file, or of one frame of it.

    Attributes:
        frame: the frame, from 0; None for a single picture.
        label: as ``Sample.label``.
        split: train, val, test or None.
        group: what must not be cut by a split, or None where no column says so.
        attributes: further columns; rows of one key keep what they agree on.
    """

    frame: int | None = None
    label: int | tuple[float, ...] | None = None
    split: str | None = None
    group: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Joined:
    """A table joined to files.

    Attributes:
        labels: the classes, and one label a row.
        said: by file name, of the files that have a row: one for each frame that rows name.
        group_word: what a group of the table is; None where no column says so.
    """

    labels: Labels
    said: Mapping[str, Sequence[Said]]
    group_word: str | None


def can_join(table: Table) -> bool:
    """Whether a table has a column of labels, or some that are classes, and one that joins files.

    Raises:
        DataError: two columns for one of these.
    """
    key = key_of(table, ())
    own = _own(key)
    others = {name: [row[name] for row in table.rows] for name in table.columns if name not in own}
    labelled = table.one_of(LABELS) is not None or read_class_columns(others) is not None
    return labelled and key is not None


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
        table: with labels as a table of images has them, a key (``data.dicom_keys``), and
            ``frame``, if rows name frames of files.
        root: what paths are relative to.
        names: of all files.
        known: identifiers by name.
        least_classes: how many classes it must name, unless it is multi-label.

    Raises:
        DataError: no such columns, a row that matches no file, a file name of several folders, a
            patient id of several issuers, rows of one value (and frame) that contradict each
            other, or a frame that is not there.
    """
    key = key_of(table, names)
    labels = labels_of(table, _own(key), least_classes=least_classes)
    if labels is None or key is None:
        raise DataError(
            where=table.path,
            what=f"has the columns {', '.join(table.columns)}",
            cure="Name one column label (or labels, or one of 1 and 0 for each class), and one "
            "path, file (or image, filename), study or patient.",
        )
    rows = _Rows.of(table, key, root, labels)
    keys = {name: _key_of(name, known.get(name), key.kind, rows.held) for name in names}
    _check(table, key, rows.held, keys, known)
    rows.check_frames(table, key, keys, known)
    said = {name: rows.held[value] for name, value in keys.items() if value in rows.held}
    return Joined(labels, said, rows.group_word)


@dataclass(frozen=True)
class _Rows:
    """Rows by what joins them to files, and by their frames.

    Attributes:
        values: of the key, one a row.
        frames: one a row.
        held: what is said of each value, one for each of its frames.
        group_word: as of ``Joined``.
    """

    values: Sequence[str]
    frames: Frames
    held: Mapping[str, Sequence[Said]]
    group_word: str | None

    @classmethod
    def of(cls, table: Table, key: Key, root: Path, labels: Labels) -> _Rows:
        values = filled(table, key.column)
        if key.kind == "path":
            values = [slashed(root, value) for value in values]
        frames = frames_of(table)
        own = group_column(table)
        own = None if own == key.column else own
        groups = filled(table, own) if own else [None] * len(values)
        agreed(table, values, groups)  # frames of one file are of one patient
        keys = [framed(value, frame) for value, frame in zip(values, frames, strict=True)]
        said = zip(labels.values, splits_of(table), groups, strict=True)
        rows = agreed(table, keys, list(said))
        shared = _agreed_attributes(keys, attributes_of_rows(table, _own(key), labels))
        held: dict[str, dict[int | None, Said]] = {}
        for name, value, frame in zip(keys, values, frames, strict=True):
            label, split, group = rows[name]
            held.setdefault(value, {})[frame] = Said(
                label=label, split=split, group=group, attributes=shared[name], frame=frame
            )
        word = own and ("group" if own == "group" else "patient")
        found = {value: tuple(said.values()) for value, said in held.items()}
        return cls(values, frames, found, word)

    def check_frames(
        self, table: Table, key: Key, keys: Mapping[str, str], known: Mapping[str, Identity]
    ) -> None:
        """Refuse frames of what is no one file, and those that the files do not have."""
        first = next((row for row, f in enumerate(self.frames, start=1) if f is not None), None)
        if first is None:
            return
        if key.kind not in ("path", "file"):
            raise DataError(
                where=table.path,
                what=f"row {first} names a frame of a {key.kind}, which may have several files",
                cure="Name a column path or file, or leave the cell empty.",
            )
        files = {value: name for name, value in keys.items()}
        names = [files[value] for value in self.values]
        found = [known.get(name) for name in names]
        check_frames(table, self.frames, [*map(Path, names)], found)


def _own(key: Key | None) -> frozenset[str]:
    """Columns that are neither classes nor attributes."""
    return KEY_COLUMNS if key is None else KEY_COLUMNS | {key.column}


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
    plain = without_end(word)
    return plain if word not in rows and plain in rows else word


def _check(
    table: Table,
    key: Key,
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
    _refuse(table, key.column, strangers, "matches|match no file", cure)
    if key.kind == "file":
        several = [value for value in rows if held[value] > 1]
        cure = "Name a column path (with the folders) or patient instead of file."
        _refuse(table, key.column, several, "stands|stand for several files", cure)
    if key.kind == "patient":
        shared = sorted(shared_ids(known).intersection(rows))
        cure = "Name a column study or path instead of patient."
        _refuse(
            table, key.column, shared, "stands|stand for several patients, by their issuers", cure
        )


def _without_zeros(value: str) -> str:
    return value.lstrip("0")


def _refuse(table: Table, column: str, values: Collection[str], fault: str, cure: str) -> None:
    if values:
        fault = counted(len(values), f"value|values of '{column}' {fault}")
        what = f"{fault}, for example '{min(values)}'"
        raise DataError(where=table.path, what=what, cure=cure)
