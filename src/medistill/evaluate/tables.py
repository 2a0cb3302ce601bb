"""Reads a table of predictions of any task, by its columns."""

from __future__ import annotations

from pathlib import Path

from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import TRUTH_PREFIX, read_label_rows
from medistill.evaluate.mask_scores import PRESENT, read_mask_rows
from medistill.evaluate.predictions import class_rows
from medistill.evaluate.table_files import read_rows


def read_table(path: Path) -> tuple[Table, tuple[str, ...]]:
    """A table and the names of what it has figures of.

    Raises:
        DataError: no such file, or columns and values of no task.
    """
    header, rows = read_rows(path)
    if any(name.startswith(PRESENT) for name in header):
        return read_mask_rows(path, header, rows)
    if any(name.startswith(TRUTH_PREFIX) for name in header):
        return read_label_rows(path, header, rows)
    return class_rows(path, header, rows)
