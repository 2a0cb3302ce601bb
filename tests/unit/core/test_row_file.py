"""Rows in a file without a name are the rows that were appended."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.core.row_file import RowFile, mapped_rows


def test_blocks_lie_below_each_other_and_leave_nothing(tmp_path: Path) -> None:
    blocks = [np.arange(6, dtype=np.float32).reshape(3, 2), np.full((1, 2), 9, np.float32)]
    found = mapped_rows(blocks, tmp_path)
    np.testing.assert_array_equal(found, np.concatenate(blocks))
    assert found.dtype == np.float32
    assert not found.flags.writeable
    assert list(tmp_path.iterdir()) == []


def test_what_is_mapped_stays_when_more_is_appended(tmp_path: Path) -> None:
    rows = RowFile(tmp_path)
    assert rows.mapped().shape == (0, 0)
    rows.append(np.ones((2, 3)))
    before = rows.mapped()
    rows.append(np.zeros((5, 3)))
    assert (before == 1).all()
    assert rows.mapped().shape == (len(rows), 3) == (7, 3)


@pytest.mark.parametrize("rows", [np.ones((1, 2)), np.ones((1, 3), np.float32)])
def test_other_rows_are_refused(tmp_path: Path, rows: np.ndarray[Any, Any]) -> None:
    file = RowFile(tmp_path)
    file.append(np.ones((2, 3)))
    with pytest.raises(ValueError, match="do not go on"):
        file.append(rows)


def test_what_a_refused_write_left_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RowFile(tmp_path)
    file.append(np.ones((1, 2)))
    stream = file._stream

    class Full:
        """Writes a part, and then no more."""

        def seek(self, place: int) -> None:
            stream.seek(place)

        def write(self, content: bytes) -> None:
            stream.write(content[:8])
            raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr(file, "_stream", Full())
    with pytest.raises(OSError, match="no"):
        file.append(np.full((2, 2), 5.0))
    monkeypatch.setattr(file, "_stream", stream)
    file.append(np.full((1, 2), 7.0))
    np.testing.assert_array_equal(file.mapped(), [[1, 1], [7, 7]])
