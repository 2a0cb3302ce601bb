"""Cells that join several labels: by a bar, else by a semicolon, else by a comma."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medistill.core.errors import DataError

_BAR, SEMICOLON, _COMMA = SEPARATORS = ("|", ";", ",")
_CURE = (
    "Join the labels of an image by |, as in edema|mass, or give each class a column of 1 and 0; "
    "a class whose name holds such a mark needs another name."
)


def split_cells(cells: Sequence[str], *, where: Path, column: str) -> list[tuple[str, ...]] | None:
    """The words of every cell, or None where no cell joins several.

    A bar or a semicolon anywhere parts words. A comma may belong to a name, as in *pneumonia,
    viral*: it parts words in a column called ``labels`` alone, and only if nothing else does.

    Args:
        cells: of a column ``label`` or ``labels``.
        where: the table, for errors.
        column: its name.

    Raises:
        DataError: cells that are lists of a program or vectors of 0 and 1, or that mix bars and
            semicolons; in a column ``label`` words that are joined by commas in one cell and stand
            alone in others.
    """
    held = {mark: next((c for c in cells if mark in c), None) for mark in SEPARATORS}
    _refuse(where, column, next(filter(_is_list, cells), None), "which is a list of a program")
    if held[_BAR] and held[SEMICOLON]:
        _refuse(where, column, held[SEMICOLON], f"and '{held[_BAR]}', which are joined otherwise")
    mark = next((mark for mark in (_BAR, SEMICOLON) if held[mark]), _COMMA)
    if mark == _COMMA and column != "labels":
        _refuse_joined(cells, where, column)
        return None
    if not held[mark]:
        return None
    found = {cell: _words(cell, mark) for cell in dict.fromkeys(cells)}
    vector = next((cell for cell, words in found.items() if _is_vector(words)), None)
    _refuse(where, column, vector, "which looks like one 0 or 1 for each class")
    return [found[cell] for cell in cells]


def _words(cell: str, mark: str) -> tuple[str, ...]:
    return tuple(word for word in map(str.strip, cell.split(mark)) if word)


def _is_list(cell: str) -> bool:
    ends, quoted = cell[:1] + cell[-1:], "'" in cell or '"' in cell
    if ends == "[]":
        return quoted or "," in cell or _is_vector(cell[1:-1].split())
    return ends in ("()", "{}") and quoted


def _is_vector(words: Sequence[str]) -> bool:
    return len(words) > 1 and {*words} <= {"0", "1"}


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
