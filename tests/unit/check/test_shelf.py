"""What was written is found again under the same settings, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medistill.check.records import RECORD, Records
from medistill.check.shelf import Shelf

KEYS = np.array([bytes([n]) * 16 for n in range(4)], dtype="V16")


def _written(folder: Path | None) -> Records:
    book = Shelf(folder, {"window": None}).opened(KEYS[:3], np.array([-1, -1, -1]))
    for row, width in enumerate((10, 20, 30)):
        made = np.zeros(1, dtype=RECORD)
        made["width"] = width
        book.write(np.array([row]), Records.of(made, [f"kind {width % 20}"]))
    return book.closed()


def test_rows_are_found_again(tmp_path: Path) -> None:
    written = _written(tmp_path / "cache")
    shelf = Shelf(tmp_path / "cache", {"window": None})
    assert shelf.rows_of(KEYS[::-1]).tolist() == [-1, 2, 1, 0]
    assert shelf.is_just(np.arange(3))
    assert not shelf.is_just(np.array([1, 0, 2]))
    assert not shelf.is_just(np.arange(2))
    np.testing.assert_array_equal(shelf.held.rows, written.rows)
    assert shelf.held.texts == ["kind 10", "kind 0"]
    assert shelf.held.rows["text"].tolist() == [0, 1, 0]


def test_known_rows_are_copied_to_their_new_places(tmp_path: Path) -> None:
    _written(tmp_path)
    shelf = Shelf(tmp_path, {"window": None})
    book = shelf.opened(KEYS[[3, 2]], np.array([-1, 2]))
    assert book.rows["width"].tolist() == [0, 30]


def test_other_settings_find_nothing(tmp_path: Path) -> None:
    _written(tmp_path)
    assert len(Shelf(tmp_path, {"window": "lung"}).held.rows) == 0


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    assert _written(None).rows["width"].tolist() == [10, 20, 30]
    assert not list(tmp_path.iterdir())
