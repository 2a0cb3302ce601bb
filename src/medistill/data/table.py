"""Layout ``table``: a CSV file that lists images."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NoReturn, TypeVar

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.duplicates import identical_files
from medistill.data.folder import NO_PATIENTS
from medistill.data.split_folders import SPLIT_FOLDERS
from medistill.data.table_labels import Labels, masked, read_class_columns, read_labels

LABELS, _GROUPS = ("label", "labels"), ("patient", "group")
#: Columns with a meaning of their own; every other one is a class or an attribute.
OWN_COLUMNS = frozenset({"path", "split", *LABELS, *_GROUPS})
_DELIMITERS = ",;\t"
Value = TypeVar("Value")
_SHOWN = 3
_PATIENT_FOLDER = re.compile(r"(?:^|/)(patient[ _-]?\d+)/", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A CSV file with lower-case column names; ``rows`` keeps their order in the file."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def one_of(self, names: tuple[str, ...]) -> str | None:
        """Which one of several names the file has as a column, if any."""
        found = [name for name in names if name in self.columns]
        if len(found) > 1:
            raise DataError(
                where=self.path,
                what=f"has both a column '{found[0]}' and a column '{found[1]}'",
                cure="Keep one of them, or rename the other.",
            )
        return found[0] if found else None


def is_table(path: Path) -> bool:
    """Whether a path is a CSV file."""
    return path.is_file() and path.suffix.lower() in {".csv", ".tsv"}


def lists_images(path: Path) -> bool:
    """Whether a CSV file has a column ``path`` whose first image is there."""
    try:
        table = load_table(path)
    except DataError:
        return False
    if "path" not in table.columns:
        return False
    first = _normal(_slashed(path.parent, table.rows[0]["path"]))
    return (_root(path, [first]) / first).is_file()


def read_table(path: Path, *, least_classes: int = 2) -> ImageSet:
    """Read a CSV file with the columns below, in any order and any case.

    ``path``: image, relative to the file's folder. ``label``: one class; or ``labels``: classes
    joined by ``|`` (also in ``label``), ``none`` for no finding. The class ``unlabelled`` means no
    label. Without both, every column of 1, 0, -1 (uncertain) and blank (unknown) is a class, as in
    CheXpert: what is uncertain or unknown is masked. ``patient`` or ``group`` (optional): what must
    not be cut by a split; without them a folder ``patient00001`` in every path is the patient.
    ``split`` (optional): train, val or test. Every other column becomes an attribute of the sample.

    Args:
        path: the CSV file (comma, semicolon or tab; UTF-8).
        least_classes: how many classes it must name, unless it is multi-label.

    Raises:
        DataError: no such file, not a table, a column missing or doubled, an empty cell where a
            value is needed, an unknown split, an image listed twice, or too few classes.
    """
    table = load_table(path)
    if "path" not in table.columns:
        _missing_column(table, "path")
    labels = _labels(table, least_classes)
    cells = [_slashed(path.parent, cell) for cell in filled(table, "path")]
    names = _names(table, cells)
    root = _root(path, names)
    files = {name: root / cell for name, cell in zip(names, cells, strict=True)}
    group_column = table.one_of(_GROUPS)
    patients = None if group_column else _patients(names)
    if patients is not None:
        group_column, groups = "patient", patients
    else:
        groups = filled(table, group_column) if group_column else [*identical_files(files).values()]
    return ImageSet(
        name="table",
        root=path,
        task="multi-label" if labels.several else "single-label",
        classes=labels.classes,
        samples=_samples(table, files, labels, groups, guessed=group_column is None),
        group_word=group_column or "image",
        caveats=(*(() if group_column == "patient" else (NO_PATIENTS,)), *masked(labels)),
    )


def _labels(table: Table, least_classes: int) -> Labels:
    """From the column ``label`` or ``labels``, else from one column of 1, 0, -1, blank a class."""
    column = table.one_of(LABELS)
    if column is not None:
        cells = filled(table, column)
        return read_labels(cells, where=table.path, column=column, least_classes=least_classes)
    others = {name: [row[name] for row in table.rows] for name in table.columns}
    labels = read_class_columns({k: v for k, v in others.items() if k not in OWN_COLUMNS})
    if labels is None:
        _refuse_blank(table, [name for name in table.columns if name not in OWN_COLUMNS])
        _missing_column(table, "label")
    return labels


def _refuse_blank(table: Table, columns: Sequence[str]) -> None:
    """Columns without a single entry may be meant as labels, all of which are missing."""
    blank = [name for name in columns if not any(row[name] for row in table.rows)]
    if blank:
        raise DataError(
            where=table.path,
            what=f"column '{blank[0]}' is blank in every row, and there is no other label",
            cure="Fill in the labels that are known: 1, 0, or blank where unknown.",
        )


def load_table(path: Path) -> Table:
    """Load a CSV file with lower-case column names.

    Raises:
        DataError: no such file, or not a table.
    """
    if not path.is_file():
        raise DataError(where=path, what="there is no such file", cure="Check the path.")
    try:
        # utf-8-sig also reads the mark that spreadsheets put in front.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=max(_DELIMITERS, key=header.count), strict=True)
            lines = [[cell.strip() for cell in line] for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        cure = "Save it as a CSV file in UTF-8."
        raise DataError(where=path, what=f"is not a CSV file ({error})", cure=cure) from error
    return _checked(path, [line for line in lines if any(line)])


def _checked(path: Path, lines: list[list[str]]) -> Table:
    if len(lines) < 2:
        cure = "Give a header (path, label, ...) and one line for each image."
        raise DataError(where=path, what="lists no image", cure=cure)
    columns = tuple(cell.lower() for cell in lines[0])
    doubled = [name for name, count in Counter(columns).items() if count > 1]
    if doubled:
        cure = "Give every column a name of its own."
        raise DataError(where=path, what=f"has two columns called '{doubled[0]}'", cure=cure)
    ragged = [number for number, line in enumerate(lines) if len(line) != len(columns)]
    if ragged:
        raise DataError(
            where=path,
            what=f"row {ragged[0]} has {len(lines[ragged[0]])} cells, the header {len(columns)}",
            cure="Quote cells that contain the separator.",
        )
    rows = tuple(dict(zip(columns, line, strict=True)) for line in lines[1:])
    return Table(path, columns, rows)


def _missing_column(table: Table, name: str) -> NoReturn:
    raise DataError(
        where=table.path,
        what=f"has no column '{name}' (it has: {', '.join(table.columns)})",
        cure="Name the columns path, label (or labels) and, if known, patient (or group), split.",
    )


def filled(table: Table, column: str) -> list[str]:
    """Cells of a column that may not be empty."""
    cells = [row[column] for row in table.rows]
    empty = [number for number, cell in enumerate(cells, start=1) if not cell]
    if empty:
        raise DataError(
            where=table.path,
            what=f"column '{column}' is empty in {_rows(empty)}",
            cure="Fill it in: 'unlabelled' where the label is unknown, 'none' for no finding."
            if column in LABELS
            else "Fill it in, or remove the rows.",
        )
    return cells


def agreed(table: Table, keys: Sequence[str], values: Sequence[Value]) -> dict[str, Value]:
    """What the rows say of each key; rows of one key must say the same.

    Args:
        table: the table, for errors.
        keys: one a row, in order; they may repeat.
        values: what each row says of its key.

    Raises:
        DataError: two rows contradict each other.
    """
    first: dict[str, tuple[int, Value]] = {}
    for row, (key, value) in enumerate(zip(keys, values, strict=True), start=1):
        before, said = first.setdefault(key, (row, value))
        if said != value:
            raise DataError(
                where=table.path,
                what=f"rows {before} and {row} contradict each other about '{key}'",
                cure="Keep the one that is right.",
            )
    return {key: value for key, (_, value) in first.items()}


def _rows(numbers: list[int]) -> str:
    """Rows as words, counted from 1 below the header."""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"row {shown}{more}"


def _names(table: Table, cells: Sequence[str]) -> list[str]:
    names = [_normal(cell) for cell in cells]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            where=table.path,
            what=f"lists {len(twice)} images more than once, for example {twice[0]}",
            cure="Keep one row for each image (join several labels by |).",
        )
    return names


def _normal(cell: str) -> str:
    return PurePath(os.path.normpath(cell)).as_posix()


def _slashed(folder: Path, cell: str) -> str:
    """A path as POSIX parts its folders; programs on Windows part them by a backslash."""
    return cell if "\\" not in cell or (folder / cell).exists() else cell.replace("\\", "/")


def _root(path: Path, names: Sequence[str]) -> Path:
    """Folder of the images: paths of CheXpert begin with the name of the table's own."""
    own = path.parent.resolve().name
    inside = all(PurePath(name).parts[0] == own for name in names)
    return path.parent.parent if inside and not (path.parent / own).is_dir() else path.parent


def _patients(names: Sequence[str]) -> list[str] | None:
    """Patients where every path has a folder that is named by one, as in CheXpert."""
    found = [_PATIENT_FOLDER.search(name) for name in names]
    return None if None in found else [match[1].lower() for match in found if match]


def _samples(
    table: Table,
    files: Mapping[str, Path],
    labels: Labels,
    groups: list[str],
    *,
    guessed: bool,
) -> tuple[Sample, ...]:
    # Columns that are labels are no subgroups as well.
    known = OWN_COLUMNS if table.one_of(LABELS) else OWN_COLUMNS.union(labels.classes)
    found = [
        Sample(
            path=file,
            name=name,
            label=label,
            group=group,
            split=_split(table, number),
            attributes={k: v for k, v in table.rows[number].items() if k not in known},
            guessed=guessed and not _split(table, number),
        )
        for number, ((name, file), label, group) in enumerate(
            zip(files.items(), labels.values, groups, strict=True)
        )
    ]
    return tuple(sorted(found, key=lambda sample: sample.name))


def _split(table: Table, number: int) -> str | None:
    word = table.rows[number].get("split", "")
    if word and word.lower() not in SPLIT_FOLDERS:
        raise DataError(
            where=table.path,
            what=f"row {number + 1} has the unknown split '{word}'",
            cure="Use train, val or test, or leave the cell empty.",
        )
    return SPLIT_FOLDERS[word.lower()] if word else None
