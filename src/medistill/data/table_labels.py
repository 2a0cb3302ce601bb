"""The label columns of a table: one class an image, or several."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medistill.core.counting import agreeing, counted
from medistill.core.errors import DataError
from medistill.data.folder import UNLABELLED
from medistill.data.label_cells import NO_FINDING, SEMICOLON, split_cells
from medistill.data.table_file import LABELS, Table, filled

_UNCERTAIN = "image|images is|are labelled -1 and taken for unlabelled"
_NEVER = "Column|Columns without a single 1 is|are no class|classes"
_WHOLE = re.compile(r"(-?\d+)\.0+")
_ENTRIES = {"": "", "0": "0", "0.0": "0", "1": "1", "1.0": "1", "-1": "-1", "-1.0": "-1"}


@dataclass(frozen=True)
class Labels:
    """What a label column holds.

    Attributes:
        classes: names in the order of the indices: numbers by value, else alphabetical.
        values: as ``Sample.label``, one a row.
        several: whether an image may have several classes.
        uncertain: entries marked -1, masked.
        missing: blank entries, masked.
        never: columns that would be classes if any entry were 1.
        doubtful: cells of a column ``label`` that a semicolon parted into several labels.
    """

    classes: tuple[str, ...]
    values: tuple[int | tuple[float, ...] | None, ...]
    several: bool
    uncertain: int = 0
    missing: int = 0
    never: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()


def labels_of(table: Table, own: Collection[str], *, least_classes: int = 2) -> Labels | None:
    """Labels of the column ``label`` or ``labels``, else of one column of 1, 0, -1, blank a class.

    Args:
        table: the table.
        own: columns that mean something else.
        least_classes: how many classes it must name, unless it is multi-label.

    Returns:
        One label a row, or None without such a column.

    Raises:
        DataError: an empty cell of a column ``label``, or as of :func:`read_labels`.
    """
    column = table.one_of(LABELS)
    if column is None:
        others = {name: [row[name] for row in table.rows] for name in table.columns}
        return read_class_columns({k: v for k, v in others.items() if k not in own})
    cells = filled(table, column)
    return read_labels(cells, where=table.path, column=column, least_classes=least_classes)


def attributes_of_rows(table: Table, own: Collection[str], labels: Labels) -> list[dict[str, str]]:
    """Every other column of a row; those that are labels are no subgroups as well."""
    known = {*own} if table.one_of(LABELS) else {*own, *labels.classes}
    return [{k: v for k, v in row.items() if k not in known} for row in table.rows]


def is_entry(cell: str) -> bool:
    """Whether a cell is 1, 0, -1 or blank, as in a column that is a class."""
    return cell in _ENTRIES


def read_class_columns(columns: Mapping[str, Sequence[str]]) -> Labels | None:
    """Labels from columns that hold 1, 0, -1 and blanks alone, and a 1 somewhere; None without any.

    CheXpert (Irvin et al., AAAI 2019) writes labels so: -1 is uncertain, blank not mentioned. Both
    become NaN, which is masked wherever labels are used.

    Args:
        columns: cells by name, all of one length.
    """
    entered = {
        name: [_ENTRIES[cell] for cell in cells]
        for name, cells in columns.items()
        if all(map(is_entry, cells))
    }
    held = {name: cells for name, cells in entered.items() if "1" in cells}
    if not held:
        return None
    meaning = {"1": 1.0, "0": 0.0}
    rows = zip(*held.values(), strict=True)
    entries = [entry for cells in held.values() for entry in cells]
    return Labels(
        tuple(held),
        tuple(tuple(meaning.get(entry, math.nan) for entry in row) for row in rows),
        several=True,
        uncertain=entries.count("-1"),
        missing=entries.count(""),
        never=tuple(name for name in entered if name not in held and any(entered[name])),
    )


def label_caveats(labels: Labels) -> tuple[str, ...]:
    """Sentences on cells that were parted, entries that are masked, and columns without a class."""
    found = []
    if labels.doubtful:
        rows = counted(len(labels.doubtful), "row|rows")
        found.append(
            f"Column 'label' holds '{SEMICOLON}' in {rows}, such as '{labels.doubtful[0]}': it is "
            "taken to part several labels of an image; where it belongs to the name of one class, "
            "write that name without it."
        )
    if labels.uncertain and not labels.several:
        found.append(f"{counted(labels.uncertain, _UNCERTAIN)}.")
    elif labels.uncertain + labels.missing:
        found.append(
            f"{labels.uncertain:,} uncertain (-1) and {labels.missing:,} blank of the entries of "
            "the labels are unknown: they are masked."
        )
    if labels.never:
        names = ", ".join(f"'{name}'" for name in labels.never)
        found.append(f"{agreeing(len(labels.never), _NEVER)}: {names}.")
    return tuple(found)


def read_labels(
    cells: Sequence[str], *, where: Path, column: str, least_classes: int = 2
) -> Labels:
    """Read filled cells of a column ``label`` or ``labels``.

    The set is multi-label if the column is called ``labels``, or if any cell joins several or is a
    list, as ``label_cells`` tells. In a single-label set -1 means no label where the others are 0,
    1 and further numbers.

    Args:
        cells: one a row, none empty.
        where: the table, for errors.
        column: its name.
        least_classes: how many classes it must name.

    Raises:
        DataError: fewer classes (one is enough in a multi-label set), classes that differ in
            capitals or spaces alone, or as of ``label_cells``.
    """
    cells = _as_one_number(cells)
    found = split_cells(cells, where=where, column=column)
    several = column == "labels" or found is not None
    unknown = frozenset[str]() if several else _uncertain(cells)
    words = [
        None if _is_unlabelled(parts) or cell in unknown else _named(parts, several)
        for cell, parts in zip(cells, found or ((cell,) for cell in cells), strict=True)
    ]
    classes = _ordered({word for found in words if found is not None for word in found})
    if len(classes) < (1 if several else least_classes):
        raise DataError(
            where=where,
            what=f"column '{column}' has only the class '{classes[0]}'"
            if classes
            else f"column '{column}' names no class",
            cure=f"List images of at least {'two classes' if classes else 'one class'}.",
        )
    _refuse_other_capitals(classes, where, column)
    values = (None if found is None else _value(found, classes, several) for found in words)
    uncertain = sum(cell in unknown for cell in cells)
    # A bar is in no name, a comma parts nothing here; a column ``labels`` is meant to hold several.
    doubtful = tuple(c for c in cells if SEMICOLON in c) if found and column == "label" else ()
    return Labels(classes, tuple(values), several, uncertain=uncertain, doubtful=doubtful)


def _as_one_number(cells: Sequence[str]) -> Sequence[str]:
    """Cells in which 1.0 is 1 where both are there: spreadsheets write one number in two ways."""
    held = set(cells)
    same = {c: m[1] for c in held if (m := _WHOLE.fullmatch(c)) and m[1] in held}
    return [same.get(cell, cell) for cell in cells] if same else cells


def _refuse_other_capitals(classes: Sequence[str], where: Path, column: str) -> None:
    first: dict[str, str] = {}
    for name in classes:
        other = first.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            raise DataError(
                where=where,
                what=f"column '{column}' has the classes '{other}' and '{name}', which differ in "
                "capitals or spaces alone",
                cure="Write each class in one way.",
            )


def _uncertain(cells: Sequence[str]) -> frozenset[str]:
    """How -1 is written where it can be no class: beside 0 and 1; beside 1 alone it is one."""
    plain = {_ENTRIES.get(cell, cell) for cell in cells if cell.lower() not in UNLABELLED}
    numbers = plain - {"-1"}
    if not {"0", "1"} <= numbers or not all(
        word.removesuffix(".0").isdecimal() for word in numbers
    ):
        return frozenset()
    return frozenset(cell for cell in cells if _ENTRIES.get(cell) == "-1")


def _is_unlabelled(words: tuple[str, ...]) -> bool:
    return len(words) == 1 and words[0].lower() in UNLABELLED


def _named(words: tuple[str, ...], several: bool) -> tuple[str, ...]:
    """The classes among the words of a cell."""
    return tuple(w for w in words if w.lower() not in NO_FINDING) if several else words


def _value(
    words: tuple[str, ...], classes: tuple[str, ...], several: bool
) -> int | tuple[float, ...]:
    if not several:
        return classes.index(words[0])
    return tuple(float(name in words) for name in classes)


def _ordered(words: set[str]) -> tuple[str, ...]:
    if all(word.isdecimal() for word in words):
        return tuple(sorted(words, key=int))
    return tuple(sorted(words))
