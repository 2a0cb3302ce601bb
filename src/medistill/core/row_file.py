"""Rows of numbers that are too many for memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowFile:
    """Rows of one width, appended to a file without a name and mapped where they are read.

    The file goes when this object does, or the process, however it ends. Rows are written, not
    mapped, so that a full disk is an error and no crash.

    Args:
        folder: on whose disk the file lies.
    """

    def __init__(self, folder: Path) -> None:
        self._stream = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        # What is mapped stays mapped without the stream.
        weakref.finalize(self, self._stream.close)
        self._dtype: np.dtype[Any] = np.dtype(np.float64)
        self._width = self._count = 0

    def __len__(self) -> int:
        """Rows so far."""
        return self._count

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows of shape (N, D); all have the width and type of the first.

        Raises:
            ValueError: another width or type.
            OSError: the disk refuses.
        """
        if not self._count:
            self._dtype, self._width = rows.dtype, rows.shape[1]
        if rows.shape[1:] != (self._width,) or rows.dtype != self._dtype:
            raise ValueError(f"rows of {rows.shape[1:]} {rows.dtype} do not go on what is there")
        # What a refused write left behind is written over.
        self._stream.seek(self._count * self._width * rows.itemsize)
        self._stream.write(np.ascontiguousarray(rows).tobytes())
        self._stream.flush()
        self._count += len(rows)

    def mapped(self) -> NDArray[Any]:
        """All rows (N, D), read only; pages that are not in use cost no memory of the process."""
        if not self._count:
            return np.zeros((0, self._width), self._dtype)
        shape = (self._count, self._width)
        return np.memmap(self._stream, self._dtype, mode="r", shape=shape)


def mapped_rows(blocks: Iterable[NDArray[Any]], folder: Path) -> NDArray[Any]:
    """Blocks of rows below each other, in a file without a name in ``folder``.

    Raises:
        OSError: the disk refuses.
    """
    rows = RowFile(folder)
    for block in blocks:
        rows.append(block)
    return rows.mapped()
