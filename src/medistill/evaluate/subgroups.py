"""Parts of the images in which a student may have got worse: by sex, age, site, device ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medistill.evaluate.grouped import fail
from medistill.evaluate.table_files import read_rows, write_rows

MOST_VALUES = 12
AGE_BANDS = (
    (0, 18, "under 18"),
    (18, 40, "18 to 39"),
    (40, 65, "40 to 64"),
    (65, 200, "65 and over"),
)
UNKNOWN = "unknown"
SUBGROUPS = "subgroups.csv"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subgroup:
    """Some of the images.

    Attributes:
        column: of the table that it comes from, for example ``sex``.
        value: for example ``F``.
        rows: row numbers.
    """

    column: str
    value: str
    rows: np.ndarray

    @property
    def name(self) -> str:
        """For example ``sex F``."""
        return f"{self.column} {self.value}"


def subgroups(attributes: Sequence[Mapping[str, str]]) -> list[Subgroup]:
    """All subgroups that further columns of the table make.

    A column called ``age`` is cut into bands of years; other columns count where they have 2 to
    12 values (patient numbers, dates and file names do not). Missing values are one subgroup.

    Args:
        attributes: of each image, by column.
    """
    columns = list(dict.fromkeys(name for each in attributes for name in each))
    found = []
    for column in columns:
        values = [_value(column, each.get(column, "")) for each in attributes]
        if 2 <= len(set(values)) <= MOST_VALUES:
            found += _of(column, values)
    return found


def write_subgroups(path: Path, names: Sequence[str], found: Sequence[Subgroup]) -> None:
    """Write a table ``path`` and one column for each that makes subgroups, atomically.

    Args:
        path: the CSV file.
        names: of the images.
        found: subgroups of these images; each image is in one of every column.
    """
    columns = {each.column: np.full(len(names), UNKNOWN, dtype=object) for each in found}
    for each in found:
        columns[each.column][each.rows] = each.value
    write_rows(path, ["path", *columns], zip(names, *columns.values(), strict=True))


def read_subgroups(path: Path, names: Sequence[str]) -> list[Subgroup]:
    """The subgroups of a written table.

    Args:
        path: the CSV file.
        names: of the images, in the order that row numbers shall refer to.

    Raises:
        DataError: no such file, or an image that it does not hold.
    """
    header, rows = read_rows(path)
    held = {row[0]: row[1:] for row in rows}
    missing = [name for name in names if len(held.get(name, ())) != len(header[1:])]
    if missing:
        fail(path, f"does not tell the subgroups of '{missing[0]}'", "Evaluate the run again.")
    marks = [[held[name][number] for name in names] for number in range(len(header[1:]))]
    return [
        each for column, own in zip(header[1:], marks, strict=True) for each in _of(column, own)
    ]


def together(known: Mapping[str, Sequence[Subgroup]]) -> list[Subgroup]:
    """Subgroups of the same images as several runs know them, each column once.

    Raises:
        DataError: two runs differ on a column.
    """
    first: dict[str, tuple[str, list[Subgroup]]] = {}
    for run, found in known.items():
        for column in dict.fromkeys(each.column for each in found):
            own = [each for each in found if each.column == column]
            other, same = first.setdefault(column, (run, own))
            if [_told(each) for each in own] != [_told(each) for each in same]:
                what = f"has other values in the column '{column}' than {other}"
                fail(run, what, "Evaluate both on the same table of images.")
    return [each for _, found in first.values() for each in found]


def _told(each: Subgroup) -> tuple[str, list[int]]:
    return each.value, each.rows.tolist()


def _of(column: str, values: Sequence[str]) -> list[Subgroup]:
    marks = np.asarray(values)
    return [
        Subgroup(column=column, value=kind, rows=np.flatnonzero(marks == kind))
        for kind in sorted(set(values))
    ]


def _value(column: str, text: str) -> str:
    stripped = text.strip()
    if column.lower() not in {"age", "patient age", "patient_age", "age_years"}:
        return stripped or UNKNOWN
    try:
        years = float(stripped.removesuffix("Y"))
    except ValueError:
        return UNKNOWN
    return next((name for low, high, name in AGE_BANDS if low <= years < high), UNKNOWN)
