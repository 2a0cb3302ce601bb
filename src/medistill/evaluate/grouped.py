"""Which images of a table belong together, whatever is said of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medistill.core.errors import DataError
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.metrics import Metric

#: From the truth and the answers of two models to what each image adds to their difference.
SwapScores = Callable[[Any, Floats, Floats], Floats]


class Grouped:
    """What names, groups and folds of N images imply; a base of dataclasses, with no fields."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def _hold(
        self,
        *,
        names: Sequence[str],
        groups: Sequence[str],
        folds: ArrayLike | None,
        **values: NDArray[Any],
    ) -> None:
        """Set the fields of a frozen table; without ``folds`` all images are in fold 0."""
        folds = np.zeros(len(names)) if folds is None else folds
        held: dict[str, Any] = {
            "names": tuple(map(str, names)),
            "groups": tuple(map(str, groups)),
            "folds": np.asarray(folds, dtype=np.int64),
            **values,
        }
        for field, value in held.items():
            object.__setattr__(self, field, value)

    def _of(self, rows: Ints) -> dict[str, Any]:
        """Every field for some images: what a table of them is made from."""
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        fields = {name: getattr(self, name) for name in names}
        return {
            name: [held[row] for row in rows] if isinstance(held, tuple) else held[rows]
            for name, held in fields.items()
        }

    @property
    def background(self) -> int:
        """Every class has figures; a mask's background has none."""
        return 0

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


class Table(Protocol):
    """What one model said of N images of any task, as statistics need it."""

    @property
    def names(self) -> tuple[str, ...]:
        """N distinct image names."""

    @property
    def groups(self) -> tuple[str, ...]:
        """N group names; a group is never in two folds."""

    @property
    def folds(self) -> Ints:
        """Fold whose model made the row, shape (N,)."""

    def __len__(self) -> int:
        """Number of images."""

    @property
    def group_index(self) -> Ints:
        """Group of each image as a number from 0, shape (N,)."""

    @property
    def group_count(self) -> int:
        """Number of groups."""

    @property
    def fold_rows(self) -> tuple[Ints, ...]:
        """Row numbers of each fold."""

    @property
    def classes(self) -> int:
        """Number of classes or labels that have a figure of their own, K."""

    @property
    def background(self) -> int:
        """How many classes come before those that have figures: 1 for masks."""

    @property
    def truth(self) -> np.ndarray:
        """First argument of a metric, one row an image."""

    @property
    def answers(self) -> Floats:
        """Second argument of a metric, one row an image."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What is measured, by name."""

    @property
    def headline(self) -> str:
        """The metric that the answer is about."""

    @property
    def members(self) -> Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """For each class which images are of it and which are not; unknown ones are neither."""

    def groups_with(self, chosen: NDArray[np.bool_]) -> int:
        """Number of groups that hold at least one of the chosen images."""

    def swap(self, name: str) -> SwapScores | None:
        """What each image adds to a metric's difference of two models; None if it is no sum."""

    def write_csv(self, path: Path, classes: Sequence[str]) -> None:
        """Write the table atomically."""

    def only(self, rows: Ints) -> Table:
        """The same of some images."""


def check_same_images(tables: Mapping[str, Table]) -> None:
    """Refuse to compare models that were not asked about the same images.

    Raises:
        DataError: names the two models and up to three images that differ.
    """
    (first_name, first), *others = tables.items()
    for name, other in others:
        if type(other) is not type(first):
            fail(name, f"has other labels than {first_name}", "Compare runs of the same task.")
        differing = sorted(set(first.names) ^ set(other.names))
        if differing:
            shown = ", ".join(differing[:3])
            what = f"was evaluated on other images than {first_name} ({len(differing)}: {shown})"
            fail(name, what, "Evaluate both on the same images.")
        _check_rows(first_name, first, name, other)


def check_names(table: Grouped, where: object) -> None:
    """Refuse an image that is there twice.

    Raises:
        DataError: names it.
    """
    if len(set(table.names)) == len(table.names):
        return
    seen: set[str] = set()
    twice = next(name for name in table.names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    fail(where, f"image '{twice}' is there more than once", "Keep one row an image.")


def check_folds(table: Grouped, where: object) -> None:
    """Refuse a group in several folds.

    Raises:
        DataError: names it.
    """
    pairs = np.unique(np.stack([table.group_index, table.folds]), axis=1)
    groups, counts = np.unique(pairs[0], return_counts=True)
    if (counts > 1).any():
        cut = int(groups[counts > 1][0])
        name = table.groups[int(np.flatnonzero(table.group_index == cut)[0])]
        fail(where, f"group '{name}' is in several folds", "Split by group, not by image.")


def refuse_rows(
    table: Grouped,
    rules: Sequence[tuple[NDArray[np.bool_] | np.bool_, str]],
    cure: str,
    where: object,
) -> None:
    """Refuse a table in which an image breaks a rule.

    Args:
        table: the table.
        rules: for each rule which images keep it, shape (N,), and what the others do.
        cure: what the user can do.
        where: how errors name it.

    Raises:
        DataError: names the first image that breaks the first broken rule.
    """
    for kept, what in rules:
        if not kept.all():
            bad = np.flatnonzero(~kept)
            first = table.names[bad[0]]
            fail(where, f"'{first}' {what} ({bad.size} of {len(table)} images do)", cure)


def fail(where: object, what: str, cure: str) -> NoReturn:
    """Raise the error of a table."""
    raise DataError(where=where, what=what, cure=cure)


def _check_rows(first_name: str, first: Table, name: str, other: Table) -> None:
    equal = np.array_equal(first.truth, other.truth, equal_nan=True)
    columns = [(t.names, t.groups, tuple(t.folds.tolist())) for t in (first, other)]
    if equal and columns[0] == columns[1]:
        return
    row = next(
        number
        for number, pair in enumerate(zip(_rows(first), _rows(other), strict=True))
        if pair[0] != pair[1]
    )
    what = f"order, label, group or fold of '{other.names[row]}' is not {first_name}'s"
    fail(name, what, "Evaluate both on the same table of images.")


def _rows(table: Table) -> list[tuple[str, str, int, str]]:
    labels = [str(np.nan_to_num(np.asarray(each, float), nan=-1).tolist()) for each in table.truth]
    return list(zip(table.names, table.groups, table.folds.tolist(), labels, strict=True))
