"""One row an epoch, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medistill.core.files import write_text
from medistill.train.disk import told_if_refused

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Row = Mapping[str, float]

_COUNTERS = frozenset({"epoch", "step"})


class History:
    """Two files of rows that always agree with the checkpoint.

    At the start both are written anew from the rows that the checkpoint holds, so an epoch that a
    kill cut off leaves no trace and none appears twice.

    Args:
        folder: gets ``history.csv`` and ``tensorboard/``.
        rows: of the epochs done so far.
    """

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self._folder, self._shown = folder, 0
        self._writer = _new_writer(folder / "tensorboard")
        self.update(rows)

    def update(self, rows: Sequence[Row]) -> None:
        """Write the rows that are new since the last call; ``rows`` are all of them."""
        for row in rows[self._shown :]:
            _show(self._writer, row)
        self._shown = len(rows)
        self._writer.flush()
        if rows:
            path = self._folder / "history.csv"
            with told_if_refused(path):
                write_text(path, as_csv(rows), durable=False)

    def close(self) -> None:
        """Finish TensorBoard's file."""
        self._writer.close()


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV with the columns in order of appearance; Python's shortest exact decimals."""
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _new_writer(folder: Path) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter

    for stale in folder.glob("events.out.tfevents.*"):
        stale.unlink()
    return SummaryWriter(str(folder))


def _show(writer: SummaryWriter, row: Row) -> None:
    """Show a row's values over the step; ``select.raw.auroc`` becomes ``select/raw.auroc``."""
    for name, value in row.items():
        if name not in _COUNTERS:
            writer.add_scalar(name.replace(".", "/", 1), value, int(row["step"]))
