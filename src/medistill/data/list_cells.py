"""Cells that are a list of words as Python or JSON writes one: ``['edema', 'mass']``."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from medistill.core.errors import DataError

_WORD = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
# Between two words stands a comma: of 'a' 'b' without one, as numpy writes it, Python makes 'ab'.
_LIST = re.compile(rf".\s*(?:(?:{_WORD.pattern})\s*(?:,\s*(?:{_WORD.pattern})\s*)*(?:,\s*)?)?.")
_OPEN, _CLOSED = ("['", '["'), ("']", '"]')
_MOST_LETTERS, _SHOWN = 10_000, 60
_CURE = (
    "Write each cell as ['edema', 'mass'], or join the labels of an image by |, as in edema|mass, "
    "or give each class a column of 1 and 0."
)


def is_list(cell: str) -> bool:
    """Whether a cell begins and ends as a list of a program, or as a torn one of quoted words."""
    ends, quoted = cell[:1] + cell[-1:], "'" in cell or '"' in cell
    if ends == "[]":
        return quoted or "," in cell or not cell[1:-1].strip() or _is_vector(cell[1:-1].split())
    return (ends in ("()", "{}") and quoted) or cell[:2] in _OPEN or cell[-2:] in _CLOSED


def listed_words(
    cells: Sequence[str], plain: frozenset[str], *, where: Path, column: str
) -> list[tuple[str, ...]]:
    """The words of every cell; an empty list has none.

    Args:
        cells: one a row; a list each, or one of the words ``plain``.
        plain: words in lower case that may stand alone.
        where: the table, for errors.
        column: its name.

    Raises:
        DataError: a cell is none of these, or holds more than 10,000 letters.
    """
    found: dict[str, tuple[str, ...]] = {}
    for row, cell in enumerate(cells, start=1):
        if cell not in found:
            words = (cell,) if cell.lower() in plain else _words(cell)
            if words is None:
                _refuse(cell, row, where, column)
            found[cell] = words
    return [found[cell] for cell in cells]


def _words(cell: str) -> tuple[str, ...] | None:
    """The words of a list, or None of anything else."""
    whole = cell[:1] + cell[-1:] in ("[]", "()", "{}") and len(cell) <= _MOST_LETTERS
    if not whole or not _LIST.fullmatch(cell):
        return None
    try:
        words = [_unquoted(match[0]).strip() for match in _WORD.finditer(cell)]
    except (SyntaxError, ValueError):
        return None
    return tuple(filter(None, words))


def _unquoted(word: str) -> str:
    """What stands between quotes.

    Raises:
        SyntaxError: an escape is torn.
        ValueError: it names half a letter, or a letter that no text holds.
    """
    if "\\" not in word:
        return word[1:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a backslash that escapes nothing
        text = str(ast.literal_eval(word))
    text.encode()
    return text


def _is_vector(words: Sequence[str]) -> bool:
    return len(words) > 1 and {*words} <= {"0", "1"}


def _refuse(cell: str, row: int, where: Path, column: str) -> NoReturn:
    shown = cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}.."
    what = f"column '{column}' holds {shown} in row {row}, which is no list of quoted words"
    if len(cell) > _MOST_LETTERS:
        what = f"column '{column}' holds {len(cell):,} letters in row {row}, as no list of labels"
    raise DataError(where=where, what=what, cure=_CURE)
