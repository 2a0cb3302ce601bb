"""What a model said of each image, with the truth and the group: the table everything is made from.

As a file: a CSV with the columns ``path``, ``label`` (class name), ``group``, ``fold`` and one
column ``p_<class>`` a class, in the order of the classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medistill.core.errors import DataError
from medistill.core.files import write_text

FIXED_COLUMNS = ("path", "label", "group", "fold")
PROBABILITY_PREFIX = "p_"
SUM_TOLERANCE = 1e-3  # a softmax kept in float16 is this far from one


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
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
        rows = len(names)
        folds = np.zeros(rows, dtype=np.int64) if folds is None else folds
        for field, value in (
            ("names", tuple(map(str, names))),
            ("groups", tuple(map(str, groups))),
            ("labels", np.asarray(labels, dtype=np.int64)),
            ("probabilities", np.asarray(probabilities, dtype=np.float64)),
            ("folds", np.asarray(folds, dtype=np.int64)),
        ):
            object.__setattr__(self, field, value)
        _check_shapes(self, where)
        _check_names(self, where)
        _check_values(self, where)
        _check_folds(self, where)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return int(self.probabilities.shape[1])

    @cached_property
    def group_index(self) -> NDArray[np.int64]:
        """Group of each image as a number from 0, shape (N,)."""
        return np.unique(np.asarray(self.groups), return_inverse=True)[1].astype(np.int64)

    @property
    def group_count(self) -> int:
        """Number of groups, G."""
        return int(self.group_index.max()) + 1

    @cached_property
    def fold_rows(self) -> tuple[NDArray[np.int64], ...]:
        """Row numbers of each fold, in the order of the fold numbers."""
        return tuple(np.flatnonzero(self.folds == fold) for fold in np.unique(self.folds))

    def groups_with(self, chosen: NDArray[np.bool_]) -> int:
        """Number of groups that hold at least one of the chosen images, shape (N,)."""
        return int(np.unique(self.group_index[chosen]).size)

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically; probabilities keep every digit."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*FIXED_COLUMNS, *(PROBABILITY_PREFIX + name for name in classes)])
        for row, name in enumerate(self.names):
            label = classes[int(self.labels[row])]
            numbers = (repr(float(p)) for p in self.probabilities[row])
            writer.writerow([name, label, self.groups[row], int(self.folds[row]), *numbers])
        write_text(path, text.getvalue())


def read_csv(path: Path) -> tuple[Predictions, tuple[str, ...]]:
    """Read a table of predictions and the names of its classes.

    Raises:
        DataError: no such file, a missing column, an unknown label or a value out of range.
    """
    if not path.is_file():
        _fail(path, "there is no such file", "Give a table written by medistill evaluate.")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    header = rows[0] if rows else []
    classes = _class_names(path, header)
    body = [_parse_row(path, number, row, header, classes) for number, row in enumerate(rows[1:])]
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


def check_same_images(tables: dict[str, Predictions]) -> None:
    """Refuse to compare models that were not asked about the same images.

    Raises:
        DataError: names the two models and up to three images that differ.
    """
    (first_name, first), *others = tables.items()
    for name, other in others:
        differing = sorted(set(first.names) ^ set(other.names))
        if differing:
            shown = ", ".join(differing[:3])
            what = f"was evaluated on other images than {first_name} ({len(differing)}: {shown})"
            _fail(name, what, "Evaluate both on the same images.")
        for row, pair in enumerate(zip(_truth(first), _truth(other), strict=True)):
            if pair[0] != pair[1]:
                what = f"order, label, group or fold of '{other.names[row]}' is not {first_name}'s"
                _fail(name, what, "Evaluate both on the same table of images.")


def _truth(table: Predictions) -> zip[tuple[str, str, int, int]]:
    columns = (table.names, table.groups, table.labels.tolist(), table.folds.tolist())
    return zip(*columns, strict=True)


def _class_names(path: Path, header: list[str]) -> tuple[str, ...]:
    fixed, rest = tuple(header[: len(FIXED_COLUMNS)]), header[len(FIXED_COLUMNS) :]
    if fixed != FIXED_COLUMNS or not all(name.startswith(PROBABILITY_PREFIX) for name in rest):
        expected = ", ".join(FIXED_COLUMNS) + f" and {PROBABILITY_PREFIX}CLASS for every class"
        _fail(path, f"the columns are not {expected}", "Give a table written by medistill.")
    return tuple(name.removeprefix(PROBABILITY_PREFIX) for name in rest)


def _parse_row(
    path: Path, number: int, row: list[str], header: list[str], classes: tuple[str, ...]
) -> tuple[str, int, str, int, list[float]]:
    where = f"{path}, line {number + 2}"
    if len(row) != len(header):
        _fail(where, f"{len(row)} values for {len(header)} columns", "Mend or remove the line.")
    name, label, group, fold, *numbers = row
    if label not in classes:
        _fail(where, f"label '{label}' has no column", f"Known: {', '.join(classes)}.")
    try:
        return name, classes.index(label), group, int(fold), [float(value) for value in numbers]
    except ValueError:
        _fail(where, "a fold or probability is not a number", "Mend or remove the line.")


def _check_shapes(table: Predictions, where: object) -> None:
    rows = len(table.names)
    if rows == 0:
        _fail(where, "there are no images", "Give at least one labelled image.")
    if table.probabilities.ndim != 2 or table.probabilities.shape[1] < 2:
        _fail(where, "fewer than two classes have a probability", "Give one column a class.")
    lengths = {len(table.groups), len(table.labels), len(table.probabilities), len(table.folds)}
    if lengths != {rows} or table.labels.ndim != 1:
        _fail(where, "names, groups, labels and probabilities differ in length", "Give one each.")


def _check_names(table: Predictions, where: object) -> None:
    if len(set(table.names)) == len(table):
        return
    seen: set[str] = set()
    twice = next(name for name in table.names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    _fail(where, f"image '{twice}' is there more than once", "Keep one row an image.")


def _check_values(table: Predictions, where: object) -> None:
    finite = np.isfinite(table.probabilities).all(axis=1)
    in_range = ((table.probabilities >= 0) & (table.probabilities <= 1)).all(axis=1)
    adds_up = np.abs(table.probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE
    known = (table.labels >= 0) & (table.labels < table.classes)
    for rule, what in (
        (finite, "has a probability that is not a finite number"),
        (in_range, "has a probability outside 0 to 1"),
        (adds_up, "has probabilities that do not sum to one"),
        (known, "has a label that is no class"),
    ):
        if not rule.all():
            bad = np.flatnonzero(~rule)
            what = f"'{table.names[bad[0]]}' {what} ({bad.size} of {len(table)} images do)"
            _fail(where, what, "Write the table again from the model's softmax.")


def _check_folds(table: Predictions, where: object) -> None:
    pairs = np.unique(np.stack([table.group_index, table.folds]), axis=1)
    groups, counts = np.unique(pairs[0], return_counts=True)
    if (counts > 1).any():
        cut = int(groups[counts > 1][0])
        name = table.groups[int(np.flatnonzero(table.group_index == cut)[0])]
        _fail(where, f"group '{name}' is in several folds", "Split by group, not by image.")


def _fail(where: object, what: str, cure: str) -> NoReturn:
    raise DataError(where=where, what=what, cure=cure)
