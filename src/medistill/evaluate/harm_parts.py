"""What is looked at when asking who is served worse, and what is too small to be tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medistill.evaluate.arrays import Ints
from medistill.evaluate.grouped import Table
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.label_metrics import NO_LABEL
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.subgroups import Subgroup

FEWEST_EVENTS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A class or a subgroup, and the metric that it is judged by.

    Attributes:
        kind: ``class`` or ``subgroup``.
        name: of it.
        metric: name of the metric.
        column: which of the metric's values counts; 0 for a metric of a whole model.
        rows: of the subgroup; None for all images.
        reason: why it cannot be tested, as a clause.
    """

    kind: str
    name: str
    metric: str
    column: int = 0
    rows: Ints | None = None
    reason: str | None = None


def harm_parts(table: Table, classes: Sequence[str], given: Sequence[Subgroup]) -> list[Part]:
    """Every class and subgroup with its metrics.

    Args:
        table: of any model; only its labels and groups count.
        classes: names of what the table has figures of.
        given: subgroups of its images.
    """
    return [*_classes(table, classes), *_subgroups(table, given)]


def _classes(table: Table, classes: Sequence[str]) -> list[Part]:
    parts = []
    for column, name in enumerate(classes):
        inside, outside = table.members[column]
        reason = _too_little(table, inside, outside)
        for metric in _class_metrics(table, column):
            parts.append(Part(kind="class", name=name, metric=metric, column=column, reason=reason))
    return parts


def _class_metrics(table: Table, column: int) -> tuple[str, ...]:
    if isinstance(table, MaskScores):
        return ("class_dice",)
    # Two exclusive classes share one AUROC, which is tested once.
    shared = not isinstance(table, LabelPredictions) and table.classes == 2 and column == 0
    return ("sensitivity",) if shared else ("sensitivity", "class_auroc")


def _subgroups(table: Table, given: Sequence[Subgroup]) -> list[Part]:
    return [
        Part(
            kind="subgroup",
            name=each.name,
            metric=metric,
            rows=each.rows,
            reason=_too_small(table.only(each.rows)),
        )
        for each in given
        for metric in _subgroup_metrics(table)
    ]


def _subgroup_metrics(table: Table) -> tuple[str, ...]:
    if isinstance(table, MaskScores):
        return ("dice",)
    return ("auroc",) if isinstance(table, LabelPredictions) else ("accuracy", "auroc")


def _too_small(part: Table) -> str | None:
    """A subgroup needs ten groups, and ten images with and ten without what is usual in it."""
    if part.group_count < FEWEST_GROUPS:
        return f"too few groups, {part.group_count}"
    if isinstance(part, LabelPredictions):
        return None if part.counted else NO_LABEL
    if isinstance(part, MaskScores):
        return _too_few_images(np.asarray(part.present.any(axis=1)), None)
    inside = part.members[int(np.argmax([held.sum() for held, _ in part.members]))][0]
    return _too_few_images(~inside, inside)


def _too_little(table: Table, inside: np.ndarray, outside: np.ndarray) -> str | None:
    groups = table.groups_with(inside)
    if groups < FEWEST_GROUPS:
        return f"too few groups, {groups}"
    return _too_few_images(inside, None if isinstance(table, MaskScores) else outside)


def _too_few_images(events: np.ndarray, rest: np.ndarray | None) -> str | None:
    fewest = int(events.sum()) if rest is None else int(min(events.sum(), rest.sum()))
    return f"too few images, {fewest}" if fewest < FEWEST_EVENTS else None
