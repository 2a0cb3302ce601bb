"""The label column of a table: one class an image, or several joined by a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medistill.core.errors import DataError
from medistill.data.folder import UNLABELLED

_BAR = "|"
#: Words for an image on which nothing was found, in a multi-label column.
NO_FINDING = frozenset({"none", "no finding"})


@dataclass(frozen=True)
class Labels:
    """What a label column holds.

    Attributes:
        classes: names in the order of the indices: numbers by value, else alphabetical.
        values: as ``Sample.label``, one a row.
        several: whether an image may have several classes.
    """

    classes: tuple[str, ...]
    values: tuple[int | tuple[float, ...] | None, ...]
    several: bool


def read_labels(cells: Sequence[str], *, where: Path, column: str) -> Labels:
    """Read filled cells of a column ``label`` or ``labels``.

    The set is multi-label if the column is called ``labels`` or any cell holds a bar.

    Args:
        cells: one a row, none empty.
        where: the table, for errors.
        column: its name.

    Raises:
        DataError: fewer than two classes (one is enough in a multi-label set).
    """
    several = column == "labels" or any(_BAR in cell for cell in cells)
    words = [None if cell.lower() in UNLABELLED else _words(cell, several) for cell in cells]
    classes = _ordered({word for found in words if found is not None for word in found})
    if len(classes) < (1 if several else 2):
        raise DataError(
            where=where,
            what=f"column '{column}' has only the class '{classes[0]}'"
            if classes
            else f"column '{column}' names no class",
            cure="List images of at least two classes.",
        )
    values = (None if found is None else _value(found, classes, several) for found in words)
    return Labels(classes, tuple(values), several)


def _words(cell: str, several: bool) -> tuple[str, ...]:
    if not several:
        return (cell,)
    words = (word.strip() for word in cell.split(_BAR))
    return tuple(word for word in words if word and word.lower() not in NO_FINDING)


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
