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
from medistill.evaluate.metrics import Metric
from medistill.evaluate.subgroups import Subgroup

FEWEST_EVENTS = 10
CALLED = ("sensitivity", "accuracy")


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A class or a subgroup, and the metric that it is judged by.

    Attributes:
        kind: ``class`` or ``subgroup``.
        name: of it.
        metric: name of the metric.
        column: which of the metric's values counts; 0 for a metric of a whole model.
        rows: of the subgroup; None for all images.
        reason: why it cannot be tested by this metric, as a clause.
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
    return [*_classes(table, classes), *_subgroups(table, classes, given)]


def title_of(metric: Metric, table: Table) -> str:
    """The metric within a sentence; of what is called, at which point, which is not the shipped."""
    if metric.name not in CALLED:
        return metric.in_text
    labels = isinstance(table, LabelPredictions)
    point = "at a probability of 0.5" if labels else "at the most probable class"
    return f"{metric.in_text} {point}"


def _classes(table: Table, classes: Sequence[str]) -> list[Part]:
    return [
        Part(
            kind="class",
            name=name,
            metric=metric,
            column=column,
            reason=_too_little(table, column, metric),
        )
        for column, name in enumerate(classes)
        for metric in _class_metrics(table, column)
    ]


def _class_metrics(table: Table, column: int) -> tuple[str, ...]:
    if isinstance(table, MaskScores):
        return ("class_dice",)
    # Two exclusive classes share one AUROC, which is tested once.
    shared = not isinstance(table, LabelPredictions) and table.classes == 2 and column == 0
    return ("sensitivity",) if shared else ("sensitivity", "class_auroc")


def _subgroups(table: Table, classes: Sequence[str], given: Sequence[Subgroup]) -> list[Part]:
    return [
        Part(
            kind="subgroup",
            name=each.name,
            metric=metric,
            rows=each.rows,
            reason=_too_small(table.only(each.rows), classes, metric),
        )
        for each in given
        for metric in _subgroup_metrics(table)
    ]


def _subgroup_metrics(table: Table) -> tuple[str, ...]:
    if isinstance(table, MaskScores):
        return ("dice",)
    return ("auroc",) if isinstance(table, LabelPredictions) else ("accuracy", "auroc")


def _too_small(part: Table, classes: Sequence[str], metric: str) -> str | None:
    """A subgroup needs ten groups; to rank its images, ten of what is usual in it and ten others.

    Masks need ten images that show anything.
    """
    if part.group_count < FEWEST_GROUPS:
        return f"too few groups, {part.group_count}"
    if isinstance(part, LabelPredictions):
        return None if part.counted else NO_LABEL
    if isinstance(part, MaskScores):
        shown = int(part.present.any(axis=1).sum())
        return f"too few images with a mask, {shown}" if shown < FEWEST_EVENTS else None
    if metric == "accuracy":
        return None
    usual = int(np.argmax([inside.sum() for inside, _ in part.members]))
    return _one_sided(*part.members[usual], f"of '{classes[usual]}'")


def _too_little(table: Table, column: int, metric: str) -> str | None:
    """A class needs ten groups; to be ranked against the others, ten images of them as well."""
    inside, outside = table.members[column]
    groups = table.groups_with(inside)
    if groups < FEWEST_GROUPS:
        return f"too few groups, {groups}"
    return _one_sided(inside, outside, "with it") if metric == "class_auroc" else None


def _one_sided(inside: np.ndarray, outside: np.ndarray, what: str) -> str | None:
    counts = int(inside.sum()), int(outside.sum())
    if min(counts) >= FEWEST_EVENTS:
        return None
    return f"too few images of one kind, {counts[0]} {what} and {counts[1]} others"
