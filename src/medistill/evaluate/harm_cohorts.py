"""The images on which classes and subgroups are compared: each model is scored on them once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from medistill.evaluate.arrays import Ints
from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.harm_parts import Part
from medistill.evaluate.metrics import Metric
from medistill.evaluate.scored import Scored, score


@dataclass(frozen=True, kw_only=True, eq=False)
class Cohort:
    """Two models on the same images.

    Attributes:
        parts: what is asked of these images: every class by its metrics, or one subgroup by its.
        rows: their numbers among all images.
        student: its figures here.
        other: those of the model that it is compared with.
    """

    parts: Sequence[Part]
    rows: Ints
    student: Scored
    other: Scored

    @property
    def metrics(self) -> list[Metric]:
        """Those that the parts are judged by, each once."""
        names = dict.fromkeys(part.metric for part in self.parts)
        return [self.student.table.metrics[name] for name in names]


def cohorts(
    student: Scored, others: Mapping[str, Scored], parts: Sequence[Part], *, seed: int
) -> dict[str, list[Cohort]]:
    """For each other model its cohorts, in the order of the parts.

    Args:
        student: on all images; its resamples serve the classes, and say how many a subgroup needs.
        others: by role, on the same images and resamples.
        parts: classes and subgroups; those of the same images follow each other.
        seed: of the subgroups' resamples.
    """
    found: dict[str, list[Cohort]] = {role: [] for role in others}
    for _, together in groupby(parts, key=lambda part: id(part.rows)):
        same = list(together)
        rows = same[0].rows
        models = _scored([student, *others.values()], same, rows, seed)
        every = np.arange(len(student.table)) if rows is None else rows
        for role, other in zip(others, models[1:], strict=True):
            found[role].append(Cohort(parts=same, rows=every, student=models[0], other=other))
    return found


def _scored(
    models: Sequence[Scored], parts: Sequence[Part], rows: Ints | None, seed: int
) -> list[Scored]:
    """The models on some images, by the metrics that the parts need."""
    if rows is None:
        return list(models)
    tables = [model.table.only(rows) for model in models]
    resamples = len(next(iter(models[0].resampled.values())))
    drawn = draw_resamples(tables[0], resamples=resamples, seed=seed)
    return score(tables, drawn, only=[part.metric for part in parts])
