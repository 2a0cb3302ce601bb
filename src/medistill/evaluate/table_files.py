"""Tables of predictions as CSV files: what all tasks share of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from medistill.core.files import write_text
from medistill.evaluate.grouped import fail


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def number_text(value: float) -> str:
    """A number with every digit; empty where it is NaN.

    >>> number_text(0.1), number_text(float("nan"))
    ('0.1', '')
    """
    return "" if np.isnan(value) else repr(float(value))


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and lines of a table.

    Raises:
        DataError: no such file.
    """
    if not path.is_file():
        fail(path, "there is no such file", "Give a table written by medistill evaluate.")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    return (rows[0], rows[1:]) if rows else ([], [])
