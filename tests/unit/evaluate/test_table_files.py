from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.evaluate.table_files import number_text, read_rows, write_rows


def test_rows_come_back_with_every_digit(tmp_path: Path) -> None:
    third = 1 / 3
    write_rows(tmp_path / "t.csv", ["a", "b"], [["x, y", number_text(third)], ["", "1"]])
    head, rows = read_rows(tmp_path / "t.csv")
    assert head == ["a", "b"]
    assert rows == [["x, y", "0.3333333333333333"], ["", "1"]]
    assert float(rows[0][1]) == third


def test_an_empty_and_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    assert read_rows(tmp_path / "t.csv") == ([], [])
    with pytest.raises(DataError, match="there is no such file"):
        read_rows(tmp_path / "none.csv")
