"""What programs write as CSV files, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.table import read_table
from medistill.data.table_file import is_table, load_table
from tests.unit.data.pictures import save_noise


def _write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize(
    "lines", [("path;label", "1,5.png;a", "2.png;b"), ("path\tlabel", "1,5.png\ta", "2.png\tb")]
)
def test_semicolons_tabs_and_a_byte_order_mark_are_read(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    images = read_table(_write(tmp_path, *lines, encoding="utf-8-sig"))
    assert [sample.name for sample in images.samples] == ["1,5.png", "2.png"]


def test_quoted_cells_and_empty_lines_are_read(tmp_path: Path) -> None:
    images = read_table(_write(tmp_path, "path,label", '"a, b.png",ill', "", "2.png,well"))
    assert [sample.name for sample in images.samples] == ["2.png", "a, b.png"]


def test_table_is_recognised_by_its_ending(tmp_path: Path) -> None:
    assert is_table(_write(tmp_path, "path,label"))
    assert not is_table(tmp_path)
    assert not is_table(save_noise(tmp_path / "a.png", 0))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.csv: there is no such file"):
        read_table(tmp_path / "absent.csv")


def test_other_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path,label\nü.png,a\n".encode("utf-16"))
    with pytest.raises(DataError, match="is not a CSV file"):
        read_table(tmp_path / "list.csv")


@pytest.mark.parametrize(
    "text",
    [
        "path;label;;\r\n1.png;a;;\r\n2.png;b;;\r\n;;;\r\n",
        "path;label\r\n1.png;a;\r\n2.png;b;;;\r\n\r\n",
        "sep=;\r\npath;label\r\n1.png;a\r\n2.png;b\r\n",
        "path\tlabel\r1.png\ta\r2.png\tb\r",
        '"sep=,"\npath,label\n1.png,a\n2.png,b\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_spreadsheets_add_is_left_out(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    table = load_table(tmp_path / "list.csv")
    assert table.columns == ("path", "label")
    assert [tuple(row.values()) for row in table.rows] == [("1.png", "a"), ("2.png", "b")]


def test_a_cell_beyond_the_headings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2 has 3 cells, the header 2"):
        load_table(_write(tmp_path, "path,label,", "1.png,a,", "2.png,b,c"))


def test_a_cell_that_is_no_number_is_blank(tmp_path: Path) -> None:
    path = _write(tmp_path, "path,edema,mass", "1.png,1,nan", "2.png,0,1", "3.png,NaN,0")
    images = read_table(path)
    assert images.classes == ("edema", "mass")
    assert [np.nan_to_num(s.label, nan=9).tolist() for s in images.samples] == [
        [1, 9],
        [0, 1],
        [9, 0],
    ]
    with pytest.raises(DataError, match="column 'patient' is empty in row 2"):
        read_table(_write(tmp_path, "path,label,patient", "1.png,a,p", "2.png,b,nan"))
