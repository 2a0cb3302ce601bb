"""What a model said of labels that are not exclusive: the table that their figures are made from.

As a file: a CSV with the columns ``path``, ``group``, ``fold``, then ``y_<label>`` (0, 1, empty
where unknown) and ``p_<label>`` for every label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medistill.evaluate.grouped import (
    Grouped,
    SwapScores,
    check_folds,
    check_names,
    fail,
    refuse_rows,
)
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.label_metrics import label_metrics
from medistill.evaluate.label_paired import label_swap_scores
from medistill.evaluate.metrics import Metric
from medistill.evaluate.table_files import number_text, write_rows

LABEL_COLUMNS = ("path", "group", "fold")
TRUTH_PREFIX, CHANCE_PREFIX = "y_", "p_"
#: Groups with a label, and without it, that each fold needs for the label to count.
FEWEST_IN_FOLD = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelPredictions(Grouped):
    """Probabilities of K labels on N images.

    Attributes:
        names: N distinct image names.
        groups: N group names; a group is never in two folds.
        labels: (N, K) of 0, 1 and NaN where unknown.
        probabilities: (N, K), finite, in [0, 1].
        folds: fold whose model made the row, shape (N,).

    Raises:
        DataError: the first rule that a value breaks, naming the image.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    labels: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    folds: NDArray[np.int64]

    def __init__(
        self,
        *,
        names: Sequence[str],
        groups: Sequence[str],
        labels: ArrayLike,
        probabilities: ArrayLike,
        folds: ArrayLike | None = None,
        where: object = "predictions",
    ) -> None:
        """Check and keep; ``where`` (a file, a model) is named in errors."""
        self._hold(
            names=names,
            groups=groups,
            folds=folds,
            labels=np.asarray(labels, dtype=np.float64),
            probabilities=np.asarray(probabilities, dtype=np.float64),
        )
        _check(self, where)
        check_names(self, where)
        check_folds(self, where)

    @property
    def classes(self) -> int:
        """Number of labels, K."""
        return int(self.probabilities.shape[1])

    @property
    def truth(self) -> NDArray[np.float64]:
        """The labels: first argument of a metric."""
        return self.labels

    @property
    def answers(self) -> NDArray[np.float64]:
        """The probabilities: second argument of a metric."""
        return self.probabilities

    @cached_property
    def counted(self) -> tuple[int, ...]:
        """Labels that the mean is over.

        At least ten groups have such a label and ten lack it, and at least five of each in every
        fold: a measure is a mean over folds, and with fewer there, many a resample would hold a
        fold without the label (with five, e^-5 = .7 % of them).
        """
        return tuple(column for column, pair in enumerate(self.members) if self._suffices(pair))

    def _suffices(self, pair: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> bool:
        in_folds = [self.folds == fold for fold in np.unique(self.folds)]
        whole = min(map(self.groups_with, pair)) >= FEWEST_GROUPS
        return whole and all(
            self.groups_with(chosen & fold) >= FEWEST_IN_FOLD
            for chosen in pair
            for fold in in_folds
        )

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """What is measured, by name."""
        return label_metrics(self.counted)

    @property
    def headline(self) -> str:
        """The metric that the answer is about."""
        return "auroc"

    @property
    def members(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """For each label which images have it and which lack it."""
        return [(column == 1, column == 0) for column in self.labels.T]

    def swap(self, name: str) -> SwapScores | None:
        """What each image adds to a metric's difference; None for F1 and its like."""
        return label_swap_scores(name, self.counted)

    def only(self, rows: NDArray[np.int64]) -> LabelPredictions:
        """The same of some images."""
        return LabelPredictions(**self._of(rows))

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically; probabilities keep every digit."""
        heads = [prefix + name for prefix in (TRUTH_PREFIX, CHANCE_PREFIX) for name in classes]
        truth = (["" if np.isnan(y) else f"{y:.0f}" for y in row] for row in self.labels)
        said = (map(number_text, row) for row in self.probabilities)
        lines = zip(self.names, self.groups, self.folds, truth, said, strict=True)
        rows = ([*fixed, *known, *chances] for *fixed, known, chances in lines)
        write_rows(path, [*LABEL_COLUMNS, *heads], rows)


def read_label_rows(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[LabelPredictions, tuple[str, ...]]:
    """The table of a CSV's rows, and the names of its labels.

    Raises:
        DataError: columns that do not fit, or a value that is no number.
    """
    names = [n.removeprefix(TRUTH_PREFIX) for n in header if n.startswith(TRUTH_PREFIX)]
    expected = [
        *LABEL_COLUMNS,
        *(TRUTH_PREFIX + name for name in names),
        *(CHANCE_PREFIX + name for name in names),
    ]
    if not names or list(header) != expected:
        fail(path, "the columns are not those of labels", "Give a table written by medistill.")
    start, middle = len(LABEL_COLUMNS), len(LABEL_COLUMNS) + len(names)
    try:
        table = LabelPredictions(
            names=[row[0] for row in rows],
            groups=[row[1] for row in rows],
            folds=[int(row[2]) for row in rows],
            labels=[[float(v) if v else np.nan for v in row[start:middle]] for row in rows],
            probabilities=[[float(value) for value in row[middle:]] for row in rows],
            where=path,
        )
    except (ValueError, IndexError):
        fail(path, "a fold, label or probability is not a number", "Mend or remove the line.")
    return table, tuple(names)


def _check(table: LabelPredictions, where: object) -> None:
    rows = len(table.names)
    if rows == 0:
        fail(where, "there are no images", "Give at least one labelled image.")
    shape = (rows, table.probabilities.shape[-1])
    lengths = {len(table.groups), len(table.folds)}
    if table.labels.shape != shape or table.probabilities.shape != shape or lengths != {rows}:
        fail(where, "names, groups, labels and probabilities differ in length", "Give one each.")
    inside = (table.probabilities >= 0) & (table.probabilities <= 1)
    known = np.isin(table.labels, (0.0, 1.0)) | np.isnan(table.labels)
    rules = (
        (inside.all(axis=1), "has a probability that is no number from 0 to 1"),
        (known.all(axis=1), "has a label that is neither 0, 1 nor unknown"),
    )
    refuse_rows(table, rules, "Write the table again from the model's logistic outputs.", where)
    if np.isnan(table.labels).all():
        fail(where, "every label of every image is unknown", "Give images with known labels.")
