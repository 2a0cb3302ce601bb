"""A table on disk that grows row by row; a killed experiment goes on behind the last one."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rows:
    """A CSV table of finished work.

    Attributes:
        path: the file; made by the first row.
        columns: names of its columns, the first ``keys`` of which say which work it was.
        keys: how many columns make up a key.
    """

    path: Path
    columns: Sequence[str]
    keys: int

    def all(self) -> list[dict[str, str]]:
        """Every finished row."""
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def done(self) -> set[tuple[str, ...]]:
        """Keys of the finished rows."""
        return {tuple(row[name] for name in self.columns[: self.keys]) for row in self.all()}

    def like(self, key: Sequence[str], *, but: str) -> dict[str, str] | None:
        """A finished row whose key is this one but for one column, or None."""
        asked = dict(zip(self.columns, key, strict=False))
        del asked[but]
        same = (row for row in self.all() if all(row[name] == asked[name] for name in asked))
        return next(same, None)

    def add(self, row: Mapping[str, str]) -> None:
        """Append a row; it is on disk when this returns."""
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, self.columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
            stream.flush()
            os.fsync(stream.fileno())
