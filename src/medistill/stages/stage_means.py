"""What a body that keeps its weights said of the views of images, kept for members and folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.core.row_file import RowFile

Float = NDArray[np.float32]
_AT_ONCE = 1024


class StageMeans:
    """Means of a body's stages by image and view, as float32 in a file without a name.

    A kill loses them, and nothing else: the body is asked again.

    Args:
        folder: on whose disk they lie.
        views: of each image.
    """

    def __init__(self, folder: Path, views: int) -> None:
        self.folder, self.views = folder, views
        self._file = RowFile(folder)
        self._first: dict[int, int] = {}

    def missing(self, rows: Iterable[int]) -> list[int]:
        """Rows of images of which nothing is known, each once and in order."""
        return sorted(set(rows) - self._first.keys())

    def add(self, rows: Sequence[int], batches: Iterable[Float]) -> None:
        """Keep all views of some images, which come in order, cut into batches of any length."""
        start = len(self._file)
        for batch in batches:
            self._file.append(batch)
        # Only now: of an image that was interrupted nothing is known.
        places = range(start, len(self._file), self.views)
        self._first |= dict(zip(rows, places, strict=True))

    def blocks(self, rows: Sequence[int], views: int) -> Iterator[Float]:
        """The first views of some images, image after image, in blocks of shape (B, D)."""
        means = self._file.mapped()
        first = np.array([self._first[row] for row in rows], np.int64)
        for start in range(0, len(first), _AT_ONCE):
            places = first[start : start + _AT_ONCE, None] + np.arange(views)
            yield means[places.ravel()]
