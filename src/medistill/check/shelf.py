"""Where facts are kept between two checks: a file of rows, and a page that says what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.check.records import RECORD, Records
from medistill.core.files import read_json, write_json

#: Version of what is computed: a cache of another one is not used.
VERSION = "facts-8"
_PAGE = "facts.json"
Rows = NDArray[np.intp]


class Shelf:
    """Facts of an earlier check.

    Args:
        folder: the cache, or None for none.
        settings: what the facts depend on besides the files.

    Attributes:
        held: rows of the earlier check; none where there was no such check.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._settings = {"version": VERSION, **settings}
        self.held = _read(folder, self._settings)

    def rows_of(self, keys: NDArray[np.void]) -> Rows:
        """Row of each key, -1 where it is not held."""
        row = {key.tobytes(): place for place, key in enumerate(self.held.rows["key"])}
        return np.array([row.get(key.tobytes(), -1) for key in keys], dtype=np.intp)

    def is_just(self, rows: Rows) -> bool:
        """Whether these are all rows, in their order."""
        return len(rows) == len(self.held.rows) and bool((rows == np.arange(len(rows))).all())

    def opened(self, keys: NDArray[np.void], known: Rows) -> Book:
        """A book of one row a key, in which the known ones are written already."""
        book = Book(self._folder, self._settings, keys, self.held.texts)
        old = np.flatnonzero(known >= 0)
        book.rows[old] = self.held.rows[known[old]]
        return book


class Book:
    """Rows that are being written.

    Args:
        folder: where it goes, or None for memory.
        settings: what its page says.
        keys: of its rows.
        texts: known already.

    Attributes:
        rows: of dtype ``RECORD``, one a key.
    """

    def __init__(
        self,
        folder: Path | None,
        settings: Mapping[str, Any],
        keys: NDArray[np.void],
        texts: list[str],
    ) -> None:
        self._folder, self._settings, self._keys = folder, settings, keys
        self._number = {text: place for place, text in enumerate(texts)}
        self._name = f"facts-{os.urandom(4).hex()}.bin"
        self.rows = self._made(len(keys))

    def write(self, rows: Rows | slice, records: Records) -> None:
        """Put records into rows."""
        numbers = [self._number.setdefault(text, len(self._number)) for text in records.texts]
        records.rows["text"] = np.array(numbers, dtype=np.int32)[records.rows["text"]]
        records.rows["key"] = self._keys[rows]
        records.rows["size_bytes"] = self.rows["size_bytes"][rows]
        self.rows[rows] = records.rows

    def closed(self) -> Records:
        """The finished rows; from now on the folder holds them, and no older ones."""
        texts = list(self._number)
        if self._folder is not None and isinstance(self.rows, np.memmap):
            self.rows.flush()
            page = {**self._settings, "file": self._name, "rows": len(self.rows), "texts": texts}
            write_json(self._folder / _PAGE, page)
            for path in self._folder.glob("facts-*.bin"):
                if path.name != self._name:
                    path.unlink()
        return Records(self.rows, texts)

    def _made(self, count: int) -> NDArray[np.void]:
        if self._folder is None or count == 0:
            return np.zeros(count, dtype=RECORD)
        self._folder.mkdir(parents=True, exist_ok=True)
        return np.memmap(self._folder / self._name, dtype=RECORD, mode="w+", shape=(count,))


def _read(folder: Path | None, settings: Mapping[str, Any]) -> Records:
    nothing = Records(np.zeros(0, dtype=RECORD), [])
    if folder is None or not (folder / _PAGE).is_file():
        return nothing
    try:
        page = dict(read_json(folder / _PAGE))
        if {key: page[key] for key in settings} != settings:
            return nothing
        path, count = folder / Path(page["file"]).name, int(page["rows"])
        if path.stat().st_size != count * RECORD.itemsize:
            return nothing
        return Records(np.memmap(path, dtype=RECORD, mode="c", shape=(count,)), list(page["texts"]))
    except (OSError, ValueError, TypeError, KeyError, json.JSONDecodeError):
        # A cache that cannot be understood costs time, never a result.
        return nothing
