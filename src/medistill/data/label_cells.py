"""Cells that join several labels: by a bar, else a semicolon, else a comma; or as a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medistill.core.errors import DataError
from medistill.data.folder import UNLABELLED
from medistill.data.list_cells import is_list, listed_words

#: Words for an image on which nothing was found, in a multi-label column.
NO_FINDING = frozenset({"none", "no finding"})
_BAR, SEMICOLON, _COMMA = SEPARATORS = ("|", ";", ",")
_CURE = (
    "Join the labels of an image by |, as in edema|mass, or give each class a column of 1 and 0; "
    "a class whose name holds such a mark needs another name."
)


def split_cells(cells: Sequence[str], *, where: Path, column: str) -> list[tuple[str, ...]] | None:
    """The words of every cell, or None where no cell joins several.

    Where a cell is a list of quoted words, as PadChest writes them, every one is. Else a bar or a
    semicolon anywhere parts words. A comma may belong to a name, as in *pneumonia,
    viral*: it parts words in a column called ``labels`` alone, and only if nothing else does.

    Args:
        cells: of a column ``label`` or ``labels``.
        where: the table, for errors.
        column: its name.

    Raises:
        DataError: cells that are no lists where others are, vectors of 0 and 1, or that mix bars
            and semicolons; in a column ``label`` words that are joined by commas in one cell and
            stand alone in others.
    """
    if any(map(is_list, cells)):
        plain = NO_FINDING | UNLABELLED
        return _no_vectors(
            cells, listed_words(cells, plain, where=where, column=column), where, column
        )
    held = {mark: next((c for c in cells if mark in c), None) for mark in SEPARATORS}
    if held[_BAR] and held[SEMICOLON]:
        _refuse(where, column, held[SEMICOLON], f"and '{held[_BAR]}', which are joined otherwise")
    mark = next((mark for mark in (_BAR, SEMICOLON) if held[mark]), _COMMA)
    if mark == _COMMA and column != "labels":
        _refuse_joined(cells, where, column)
        return None
    if not held[mark]:
        return None
    found = {cell: _words(cell, mark) for cell in dict.fromkeys(cells)}
    return _no_vectors(cells, [found[cell] for cell in cells], where, column)


def _words(cell: str, mark: str) -> tuple[str, ...]:
    return tuple(word for word in map(str.strip, cell.split(mark)) if word)


def _no_vectors(
    cells: Sequence[str], found: list[tuple[str, ...]], where: Path, column: str
) -> list[tuple[str, ...]]:
    """The words, unless those of a cell may be one 0 or 1 for each class."""
    pairs = zip(cells, found, strict=True)
    vector = next((c for c, words in pairs if len(words) > 1 and {*words} <= {"0", "1"}), None)
    _refuse(where, column, vector, "which looks like one 0 or 1 for each class")
    return found


def _refuse_joined(cells: Sequence[str], where: Path, column: str) -> None:
    """Whether a comma joins two classes or belongs to one, the other cells may say."""
    alone = {cell.casefold() for cell in cells}
    joined = (c for c in dict.fromkeys(cells) if len(_words(c, _COMMA)) > 1)
    wrong = next((c for c in joined if {w.casefold() for w in _words(c, _COMMA)} <= alone), None)
    _refuse(where, column, wrong, "whose parts are classes of other rows")


def _refuse(where: Path, column: str, cell: str | None, fault: str) -> None:
    if cell is not None:
        what = f"column '{column}' holds '{cell}', {fault}"
        raise DataError(where=where, what=what, cure=_CURE)
