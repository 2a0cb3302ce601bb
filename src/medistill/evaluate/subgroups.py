"""Parts of the images in which a student may have got worse: by sex, age, site, device ..."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medistill.core.counting import plural
from medistill.evaluate.ages import age_band, is_age
from medistill.evaluate.grouped import fail
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.table_files import read_rows, write_rows

MOST_VALUES = 12
#: Words of a column's name that says where or with what an image was made.
PLACES = frozenset(
    {"site", "hospital", "centre", "center", "clinic", "institution", "country", "region", "ward"}
    | {"device", "scanner", "machine", "manufacturer", "vendor", "model", "detector"}
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

    A column of ages is cut into bands of years; other columns count where they have 2 to 12 values
    (patient numbers, dates and file names do not). Of more sites or devices those with ten images
    count. Missing values are one subgroup. Ages that are mostly no ages are words as any other.

    Args:
        attributes: of each image, by column.
    """
    found = []
    for column, values in _columns(attributes).items():
        if len(set(values)) > 1 and not _too_many(column, values):
            few = _few(column, values)
            found += [each for each in _of(column, values) if each.value not in few]
    return found


def columns_left_out(attributes: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns that make no subgroups, or not of every value, for example ``visit (14 values)``.

    Args:
        attributes: of each image, by column.
    """
    return [
        f"{column} ({words})"
        for column, values in _columns(attributes).items()
        if (words := _left_out(column, values))
    ]


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


def _columns(attributes: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """What each column says of each image."""
    columns = dict.fromkeys(name for each in attributes for name in each)
    return {
        column: _values(column, [each.get(column, "").strip() for each in attributes])
        for column in columns
    }


def _values(column: str, texts: Sequence[str]) -> list[str]:
    if is_age(column):
        bands = [age_band(column, text) for text in texts]
        if 2 * sum(band is not None for band in bands) >= sum(bool(text) for text in texts):
            return [band or UNKNOWN for band in bands]
    return [text or UNKNOWN for text in texts]


def _left_out(column: str, values: Sequence[str]) -> str:
    """What of a column makes no subgroup; empty for nothing."""
    if set(values) == {UNKNOWN}:
        return "no values"
    if len(set(values)) == 1 or _too_many(column, values):
        return plural("value", len(set(values)))
    few = len(_few(column, values))
    return f"{few:,} values of fewer than {FEWEST_GROUPS} images" if few else ""


def _too_many(column: str, values: Sequence[str]) -> bool:
    place = PLACES & set(re.findall("[a-z]+", column.lower()))
    known = set(values) - {UNKNOWN}
    return len(set(values)) > MOST_VALUES and (not place or known == _few(column, values))


def _few(column: str, values: Sequence[str]) -> set[str]:
    """Of many sites or devices those that are too small to be told of one by one."""
    counts = Counter(values)
    if len(counts) <= MOST_VALUES:
        return set()
    return {name for name, n in counts.items() if n < FEWEST_GROUPS and name != UNKNOWN}
