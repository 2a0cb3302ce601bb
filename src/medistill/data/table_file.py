"""A CSV file as its columns and cells, whatever they mean."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO, TypeVar

from medistill.core.counting import agreeing, counted
from medistill.core.errors import DataError

LABELS = ("label", "labels")
_DELIMITERS = ",;\t"
_BLANK = ("nan", "NaN")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?')
_SHOWN = 3
Value = TypeVar("Value")


@dataclass(frozen=True)
class Table:
    """A CSV file with lower-case column names; ``rows`` keeps their order in the file."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def one_of(self, names: tuple[str, ...], *, meant: str = "") -> str | None:
        """Which one of several names the file has as a column, if any.

        Args:
            names: the names.
            meant: a name that goes before all of these, for the error.

        Raises:
            DataError: it has two of them.
        """
        found = [name for name in names if name in self.columns]
        if len(found) > 1:
            raise DataError(
                where=self.path,
                what=f"has both a column '{found[0]}' and a column '{found[1]}'",
                cure=f"Call the one that is meant '{meant}'."
                if meant
                else "Keep one of them, or rename the other.",
            )
        return found[0] if found else None


def is_table(path: Path) -> bool:
    """Whether a path is a CSV file."""
    return path.is_file() and path.suffix.lower() in {".csv", ".tsv"}


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
            delimiter = _delimiter(stream)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            lines = [[_cell(text) for text in line] for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        cure = "Save it as a CSV file in UTF-8 (in Excel: CSV UTF-8)."
        raise DataError(where=path, what=f"is not a CSV file ({error})", cure=cure) from error
    return _checked(path, [line for line in lines if any(line)])


def _cell(text: str) -> str:
    """What a cell says; programs write ``nan`` for one that is blank."""
    cell = text.strip()
    return "" if cell in _BLANK else cell


def _delimiter(stream: TextIO) -> str:
    """What parts the cells, named by a line of its own (``sep=;``) or seen in the header."""
    head = stream.readline()
    named = _SEPARATOR_LINE.fullmatch(head.strip())
    if named is not None:
        return named[1]
    stream.seek(0)
    return max(_DELIMITERS, key=head.count)


def _checked(path: Path, lines: list[list[str]]) -> Table:
    if len(lines) < 2:
        cure = "Give a header (path, label, ...) and one line for each image."
        raise DataError(where=path, what="lists no image", cure=cure)
    lines = _without_blank_ends(lines)
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
    # A column without a heading holds the row numbers that pandas writes.
    named = tuple(filter(None, columns))
    rows = (dict(zip(columns, line, strict=True)) for line in lines[1:])
    return Table(path, named, tuple({name: row[name] for name in named} for row in rows))


def _without_blank_ends(lines: list[list[str]]) -> list[list[str]]:
    """Lines without the cells beyond the last heading: spreadsheets fill up with blank ones."""
    width = max((number for number, cell in enumerate(lines[0], start=1) if cell), default=0)
    return [line if any(line[width:]) else line[:width] for line in lines]


def missing_column(table: Table, name: str) -> NoReturn:
    """Refuse a table without a column that it needs."""
    raise DataError(
        where=table.path,
        what=f"has no column '{name}' (it has: {', '.join(table.columns)})",
        cure="Name the columns path (or image, file, filename), label (or labels; or mask) and, if "
        "known, patient (or group), split.",
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


def not_here(images: int) -> tuple[str, ...]:
    """A sentence on images that a table lists and that are absent, if there are any."""
    words = "image|images of the table is|are not here"
    return (f"{counted(images, words)}.",) if images else ()


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
    return f"{agreeing(len(numbers), 'row|rows')} {shown}{more}"
