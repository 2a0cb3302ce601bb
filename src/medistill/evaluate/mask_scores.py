"""How well each image's mask fits: the table that figures of segmentation are made from.

As a file: a CSV with the columns ``path``, ``group``, ``fold``, then for every class
``<measure>: <class>`` (empty where neither mask has it), then the image's pixel sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.calibration import BINS
from medistill.evaluate.grouped import Grouped, SwapScores, check_folds, check_names, fail
from medistill.evaluate.mask_metrics import mask_metrics
from medistill.evaluate.metrics import Metric
from medistill.evaluate.segmentation import MEASURES
from medistill.evaluate.table_files import number_text, write_rows

MASK_COLUMNS = ("path", "group", "fold")
PRESENT = "present: "
#: Of an image: pixels, summed confidence and hits of each bin, then two mean losses.
PIXEL_SUMS = (
    *(f"{what} {number}" for what in ("pixels", "stated", "hits") for number in range(BINS)),
    "pixel brier",
    "pixel log loss",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskScores(Grouped):
    """Measures of the masks of N images with K foreground classes.

    Attributes:
        names: N distinct image names.
        groups: N group names; a group is never in two folds.
        folds: fold whose model made the row, shape (N,).
        present: whether the truth shows each class, (N, K).
        overlaps: (N, K, 4) in the order of ``segmentation.MEASURES``; NaN where a class is in
            neither mask.
        pixels: (N, 47) in the order of ``PIXEL_SUMS``, see ``pixel_sums.pixel_sums``.

    Raises:
        DataError: shapes differ, an image or group is there twice, or no image has a mask.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    folds: NDArray[np.int64]
    present: NDArray[np.bool_]
    overlaps: Floats
    pixels: Floats

    def __init__(
        self,
        *,
        names: Sequence[str],
        groups: Sequence[str],
        present: ArrayLike,
        overlaps: ArrayLike,
        pixels: ArrayLike,
        folds: ArrayLike | None = None,
        where: object = "masks",
    ) -> None:
        """Check and keep; ``where`` (a file, a model) is named in errors."""
        self._hold(
            names=names,
            groups=groups,
            folds=folds,
            present=np.asarray(present, dtype=bool),
            overlaps=np.asarray(overlaps, dtype=np.float64),
            pixels=np.asarray(pixels, dtype=np.float64),
        )
        _check(self, where)
        check_names(self, where)
        check_folds(self, where)

    @property
    def classes(self) -> int:
        """Number of foreground classes, K."""
        return int(self.present.shape[1])

    @property
    def background(self) -> int:
        """The first class of a mask is the background."""
        return 1

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Which classes each image shows: first argument of a metric."""
        return self.present

    @cached_property
    def answers(self) -> Floats:
        """Overlaps and pixel sums side by side, (N, 4 K + 47): second argument of a metric."""
        return np.concatenate([self.overlaps.reshape(len(self), -1), self.pixels], axis=1)

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """What is measured, by name."""
        return mask_metrics(self.classes)

    @property
    def headline(self) -> str:
        """The metric that the answer is about."""
        return "dice"

    @property
    def members(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """For each class which images show it and which do not."""
        return [(column, ~column) for column in self.present.T]

    def swap(self, name: str) -> SwapScores | None:
        """None: a mean over images that show a class is no sum; see ``mask_paired``."""
        return None

    def only(self, rows: Ints) -> MaskScores:
        """The same of some images."""
        return MaskScores(**self._of(rows))

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically; ``classes`` are all names, the background first."""
        shown = classes[-self.classes :]
        heads = [PRESENT + name for name in shown]
        heads += [f"{measure}: {name}" for name in shown for measure in MEASURES]
        numbers = (map(number_text, row) for row in self.answers)
        there = self.present.astype(int)
        lines = zip(self.names, self.groups, self.folds, there, numbers, strict=True)
        rows = ([*fixed, *known, *values] for *fixed, known, values in lines)
        write_rows(path, [*MASK_COLUMNS, *heads, *PIXEL_SUMS], rows)


def read_mask_rows(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[MaskScores, tuple[str, ...]]:
    """The table of a CSV's rows, and the names of its foreground classes.

    Raises:
        DataError: columns that do not fit, or a value that is no number.
    """
    names = [name.removeprefix(PRESENT) for name in header if name.startswith(PRESENT)]
    heads = [PRESENT + name for name in names]
    heads += [f"{measure}: {name}" for name in names for measure in MEASURES]
    if not names or list(header) != [*MASK_COLUMNS, *heads, *PIXEL_SUMS]:
        fail(path, "the columns are not those of masks", "Give a table written by medistill.")
    start = len(MASK_COLUMNS)
    first, second = start + len(names), start + len(heads)
    try:
        values = [[float(v) if v else np.nan for v in row[first:]] for row in rows]
        found = np.array(values, dtype=np.float64).reshape(len(rows), len(header) - first)
        table = MaskScores(
            names=[row[0] for row in rows],
            groups=[row[1] for row in rows],
            folds=[int(row[2]) for row in rows],
            present=np.array([[v == "1" for v in row[start:first]] for row in rows]),
            overlaps=found[:, : second - first].reshape(len(rows), len(names), len(MEASURES)),
            pixels=found[:, second - first :],
            where=path,
        )
    except (ValueError, IndexError):
        fail(path, "a fold or measure is not a number", "Mend or remove the line.")
    return table, tuple(names)


def _check(table: MaskScores, where: object) -> None:
    rows = len(table.names)
    if rows == 0:
        fail(where, "there are no images", "Give at least one image with a mask.")
    shapes = {table.overlaps.shape, (rows, table.present.shape[-1], len(MEASURES))}
    sums = {table.pixels.shape, (rows, len(PIXEL_SUMS))}
    if len(shapes) != 1 or len(sums) != 1 or {len(table.groups), len(table.folds)} != {rows}:
        fail(where, "names, groups and measures differ in length", "Give one each.")
    if not np.isfinite(table.pixels).all():
        fail(where, "a pixel sum is not a finite number", "Measure the masks again.")
