"""What a model said of each image, with the truth and the group: the table everything is made from.

As a file: a CSV with the columns ``path``, ``label`` (class name), ``group``, ``fold`` and one
column ``p_<class>`` a class, in the order of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from medistill.evaluate.metrics import METRICS, Metric
from medistill.evaluate.paired import SWAP_SCORES
from medistill.evaluate.table_files import number_text, read_rows, write_rows

FIXED_COLUMNS = ("path", "label", "group", "fold")
PROBABILITY_PREFIX = "p_"
SUM_TOLERANCE = 1e-3  # a softmax kept in float16 is this far from one


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Grouped):
    """Probabilities of one model on N images, single-label.

    Attributes:
        names: N distinct image names.
        groups: N group names; a group is never in two folds.
        labels: true class indices, shape (N,), int64.
        probabilities: shape (N, C), float64, finite, in [0, 1], rows sum to one.
        folds: fold whose model made the row, shape (N,), int64; all 0 without cross-validation.

    Raises:
        DataError: the first rule that a value breaks, naming the image.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    labels: NDArray[np.int64]
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
            labels=np.asarray(labels, dtype=np.int64),
            probabilities=np.asarray(probabilities, dtype=np.float64),
        )
        _check_shapes(self, where)
        check_names(self, where)
        _check_values(self, where)
        check_folds(self, where)

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return int(self.probabilities.shape[1])

    @property
    def truth(self) -> NDArray[np.int64]:
        """The labels: first argument of a metric."""
        return self.labels

    @property
    def answers(self) -> NDArray[np.float64]:
        """The probabilities: second argument of a metric."""
        return self.probabilities

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What is measured, by name."""
        return METRICS

    @property
    def headline(self) -> str:
        """The metric that the answer is about."""
        return "auroc"

    @property
    def members(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """For each class which images are of it and which are not."""
        return [(self.labels == c, self.labels != c) for c in range(self.classes)]

    def swap(self, name: str) -> SwapScores | None:
        """What each image adds to a metric's difference; None for F1 and its like."""
        return SWAP_SCORES.get(name)

    def only(self, rows: NDArray[np.int64]) -> Predictions:
        """The same of some images."""
        return Predictions(**self._of(rows))

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically; probabilities keep every digit."""
        head = [*FIXED_COLUMNS, *(PROBABILITY_PREFIX + name for name in classes)]
        said = (map(number_text, row) for row in self.probabilities)
        labels = (classes[label] for label in self.labels)
        lines = zip(self.names, labels, self.groups, self.folds, said, strict=True)
        write_rows(path, head, ([*fixed, *numbers] for *fixed, numbers in lines))


def read_csv(path: Path) -> tuple[Predictions, tuple[str, ...]]:
    """Read a table of predictions and the names of its classes.

    Raises:
        DataError: no such file, a missing column, an unknown label or a value out of range.
    """
    header, rows = read_rows(path)
    return class_rows(path, header, rows)


def class_rows(
    path: Path, header: list[str], rows: Sequence[list[str]]
) -> tuple[Predictions, tuple[str, ...]]:
    """The table of a CSV's lines, and the names of its classes.

    Raises:
        DataError: a missing column, an unknown label or a value out of range.
    """
    classes = _class_names(path, header)
    body = [_parse_row(path, number, row, header, classes) for number, row in enumerate(rows)]
    names, labels, groups, folds, numbers = zip(*body, strict=True) if body else ((),) * 5
    table = Predictions(
        names=names,
        groups=groups,
        labels=labels,
        probabilities=np.array(numbers, dtype=np.float64).reshape(len(body), len(classes)),
        folds=folds,
        where=path,
    )
    return table, classes


def _class_names(path: Path, header: list[str]) -> tuple[str, ...]:
    fixed, rest = tuple(header[: len(FIXED_COLUMNS)]), header[len(FIXED_COLUMNS) :]
    if fixed != FIXED_COLUMNS or not all(name.startswith(PROBABILITY_PREFIX) for name in rest):
        expected = ", ".join(FIXED_COLUMNS) + f" and {PROBABILITY_PREFIX}CLASS for every class"
        fail(path, f"the columns are not {expected}", "Give a table written by medistill.")
    return tuple(name.removeprefix(PROBABILITY_PREFIX) for name in rest)


def _parse_row(
    path: Path, number: int, row: list[str], header: list[str], classes: tuple[str, ...]
) -> tuple[str, int, str, int, list[float]]:
    where = f"{path}, line {number + 2}"
    if len(row) != len(header):
        fail(where, f"{len(row)} values for {len(header)} columns", "Mend or remove the line.")
    name, label, group, fold, *numbers = row
    if label not in classes:
        fail(where, f"label '{label}' has no column", f"Known: {', '.join(classes)}.")
    try:
        return name, classes.index(label), group, int(fold), [float(value) for value in numbers]
    except ValueError:
        fail(where, "a fold or probability is not a number", "Mend or remove the line.")


def _check_shapes(table: Predictions, where: object) -> None:
    rows = len(table.names)
    if rows == 0:
        fail(where, "there are no images", "Give at least one labelled image.")
    if table.probabilities.ndim != 2 or table.probabilities.shape[1] < 2:
        fail(where, "fewer than two classes have a probability", "Give one column a class.")
    lengths = {len(table.groups), len(table.labels), len(table.probabilities), len(table.folds)}
    if lengths != {rows} or table.labels.ndim != 1:
        fail(where, "names, groups, labels and probabilities differ in length", "Give one each.")


def _check_values(table: Predictions, where: object) -> None:
    finite = np.isfinite(table.probabilities).all(axis=1)
    in_range = ((table.probabilities >= 0) & (table.probabilities <= 1)).all(axis=1)
    adds_up = np.abs(table.probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE
    known = (table.labels >= 0) & (table.labels < table.classes)
    rules = (
        (finite, "has a probability that is not a finite number"),
        (in_range, "has a probability outside 0 to 1"),
        (adds_up, "has probabilities that do not sum to one"),
        (known, "has a label that is no class"),
    )
    refuse_rows(table, rules, "Write the table again from the model's softmax.", where)
