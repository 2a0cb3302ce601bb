"""What a model said of labels that are not exclusive: the table that their figures are made from.

As a file: a CSV with the columns ``path``, ``group``, ``fold``, then ``y_<label>`` (0, 1, empty
where unknown) and ``p_<label>`` for every label.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medistill.core.files import write_text
from medistill.evaluate.grouped import Grouped, SwapScores, check_folds, check_names, fail
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.label_metrics import label_metrics
from medistill.evaluate.label_paired import label_swap_scores
from medistill.evaluate.metrics import Metric

LABEL_COLUMNS = ("path", "group", "fold")
TRUTH_PREFIX, CHANCE_PREFIX = "y_", "p_"


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
        folds = np.zeros(len(names), dtype=np.int64) if folds is None else folds
        for field, value in (
            ("names", tuple(map(str, names))),
            ("groups", tuple(map(str, groups))),
            ("labels", np.asarray(labels, dtype=np.float64)),
            ("probabilities", np.asarray(probabilities, dtype=np.float64)),
            ("folds", np.asarray(folds, dtype=np.int64)),
        ):
            object.__setattr__(self, field, value)
        _check(self, where)
        check_names(self, where)
        check_folds(self, where)

    @property
    def classes(self) -> int:
        """Number of labels, K."""
        return int(self.probabilities.shape[1])

    @property
    def background(self) -> int:
        """Every class has figures."""
        return 0

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
        """Labels with at least ten groups that have them and ten that lack them: the macro mean."""
        fewest = [min(map(self.groups_with, pair)) for pair in self.members]
        return tuple(column for column, groups in enumerate(fewest) if groups >= FEWEST_GROUPS)

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
        return LabelPredictions(
            names=[self.names[row] for row in rows],
            groups=[self.groups[row] for row in rows],
            labels=self.labels[rows],
            probabilities=self.probabilities[rows],
            folds=self.folds[rows],
        )

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically; probabilities keep every digit."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        heads = [prefix + name for prefix in (TRUTH_PREFIX, CHANCE_PREFIX) for name in classes]
        writer.writerow([*LABEL_COLUMNS, *heads])
        for row, name in enumerate(self.names):
            truth = ["" if np.isnan(y) else f"{y:.0f}" for y in self.labels[row]]
            chances = [repr(float(p)) for p in self.probabilities[row]]
            writer.writerow([name, self.groups[row], int(self.folds[row]), *truth, *chances])
        write_text(path, text.getvalue())


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
    for rule, what in (
        (inside.all(axis=1), "has a probability that is no number from 0 to 1"),
        (known.all(axis=1), "has a label that is neither 0, 1 nor unknown"),
    ):
        if not rule.all():
            bad = np.flatnonzero(~rule)
            what = f"'{table.names[bad[0]]}' {what} ({bad.size} of {rows} images do)"
            fail(where, what, "Write the table again from the model's logistic outputs.")
    if np.isnan(table.labels).all():
        fail(where, "every label of every image is unknown", "Give images with known labels.")
