"""Whom does the student serve worse than its teacher, or than its control?

Every class and every subgroup is tested against every other model in one family, which Holm's
correction holds together: classes by sensitivity and AUROC (masks: by Dice), subgroups by accuracy
and AUROC (labels that are not exclusive: by AUROC; masks: by Dice). Sensitivity and accuracy are
those of the most probable class (labels: of a probability of 0.5), not of an operating point.
Classes and subgroups with fewer than ten groups are named and not tested; nor is AUROC with fewer
than ten images that have and ten that lack the finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.difference import SIGNIFICANCE, paired_estimates
from medistill.evaluate.grouped import Table
from medistill.evaluate.harm_cohorts import Cohort, cohorts
from medistill.evaluate.harm_parts import Part, harm_parts, title_of
from medistill.evaluate.holm import holm
from medistill.evaluate.intervals import Estimate
from medistill.evaluate.mask_paired import mask_p_values
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.paired import sign_flip_p, swap_scores
from medistill.evaluate.scored import Scored
from medistill.evaluate.subgroups import Subgroup

#: Exchanges of groups; so many a comparison where that is more, since the smallest possible p-value
#: times the number of comparisons must stay well below the level that is significant.
FLIPS, FLIPS_EACH = 10_000, 100
UNDEFINED = "the difference is not defined here"


@dataclass(frozen=True, kw_only=True)
class Hurt:
    """One class or subgroup, compared with one other model.

    Attributes:
        other: ``teacher`` or ``control``.
        kind: ``class`` or ``subgroup``.
        name: of the class or subgroup.
        metric: name of the metric.
        title: the metric within a sentence, with the point that it is judged at.
        student: value of the student.
        against: value of the other model.
        difference: student minus other, with interval.
        p: by exchange of groups; None where not tested.
        corrected: after Holm over everything that was tested.
        verdict: ``worse`` or ``better`` if ``corrected`` is below .05 and the interval leaves out
            0; ``undecided``; or ``not tested``.
        reason: why it was not tested, as a clause.
    """

    other: str
    kind: str
    name: str
    metric: str
    title: str
    student: float | None
    against: float | None
    difference: Estimate
    p: float | None = None
    corrected: float | None = None
    verdict: str = "not tested"
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The attributes by name."""
        return asdict(self)


def harm(
    student: Scored,
    others: Mapping[str, Scored],
    *,
    classes: Sequence[str],
    parts: Sequence[Subgroup] = (),
    word: str,
    seed: int = 0,
) -> list[Hurt]:
    """Compare class by class and subgroup by subgroup; what is worse beyond chance comes first.

    All of it is one family, corrected together.
    """
    found = uncorrected(student, others, classes=classes, parts=parts, word=word, seed=seed)
    return corrected([found])[0]


def uncorrected(
    student: Scored,
    others: Mapping[str, Scored],
    *,
    classes: Sequence[str],
    parts: Sequence[Subgroup] = (),
    word: str,
    seed: int = 0,
    family: int | None = None,
) -> list[Hurt]:
    """Every comparison of one student with its p-value, not yet corrected.

    Args:
        student: its table with every metric.
        others: of the teacher and the control, on the same images and resamples; may be empty.
        classes: names of what the tables have figures of.
        parts: subgroups of the images.
        word: what a group is called.
        seed: of the subgroups' resamples and of exchanges.
        family: how many comparisons will be corrected together; None for these alone.
    """
    chosen = harm_parts(student.table, classes, parts)
    exchange = _Exchange(
        flips=max(FLIPS, FLIPS_EACH * (family or len(chosen) * len(others))), seed=seed
    )
    return [
        each
        for other, pairs in cohorts(student, others, chosen, seed=seed).items()
        for each in _against(other, pairs, student.table, word, exchange)
    ]


class _Exchange(NamedTuple):
    """How groups are exchanged."""

    flips: int
    seed: int


def corrected(found: Sequence[Sequence[Hurt]]) -> list[list[Hurt]]:
    """Verdicts on the comparisons of each student, all of them one family; the worst come first."""
    p = iter(holm([each.p for one in found for each in one]))
    judged = [[_judge(each, next(p)) for each in one] for one in found]
    rank = {"worse": 0, "better": 1, "undecided": 2, "not tested": 3}
    return [
        sorted(one, key=lambda each: (rank[each.verdict], each.corrected or 0.0)) for one in judged
    ]


def _against(
    name: str, pairs: Sequence[Cohort], whole: Table, word: str, exchange: _Exchange
) -> list[Hurt]:
    found = [each for pair in pairs for each in _compare(pair, name, word)]
    return [
        replace(
            each,
            p=p,
            reason=(each.reason or each.difference.reason or UNDEFINED) if p is None else None,
        )
        for each, p in zip(found, _p_values(pairs, whole, exchange), strict=True)
    ]


def _compare(pair: Cohort, name: str, word: str) -> list[Hurt]:
    """Every part of a cohort, not yet tested."""
    metrics = {metric.name: metric for metric in pair.metrics}
    found = {m: paired_estimates(pair.student, pair.other, metrics[m], word) for m in metrics}
    return [
        Hurt(
            other=name,
            kind=part.kind,
            name=part.name,
            metric=part.metric,
            title=title_of(metrics[part.metric], pair.student.table),
            student=_value(pair.student, part),
            against=_value(pair.other, part),
            difference=found[part.metric][part.column],
            reason=part.reason,
        )
        for part in pair.parts
    ]


def _value(scored: Scored, part: Part) -> float | None:
    value = float(np.atleast_1d(scored.values[part.metric])[part.column])
    return None if np.isnan(value) else value


def _p_values(pairs: Sequence[Cohort], whole: Table, exchange: _Exchange) -> list[float | None]:
    """One for each part, None where it is not tested; all under the same exchanges of groups."""
    if isinstance(whole, MaskScores):
        return [p for pair in pairs for p in _mask_p_values(pair, exchange)]
    columns = [column for pair in pairs for column in _scores(pair, whole)]
    tested = [column for column in columns if column is not None]
    if not tested:
        return [None] * len(columns)
    found = iter(sign_flip_p(np.stack(tested, axis=1), **exchange._asdict()).tolist())
    return [None if column is None else next(found) for column in columns]


def _scores(pair: Cohort, whole: Table) -> list[Floats | None]:
    """For each part what each group of the whole table adds to the difference, (G,), or None."""
    first, second = pair.student.table, pair.other.table
    scores = {metric.name: swap_scores(metric.name, first, second) for metric in pair.metrics}
    return [_column(scores[part.metric], part, pair, whole) for part in pair.parts]


def _column(scores: Floats | None, part: Part, pair: Cohort, whole: Table) -> Floats | None:
    if part.reason is not None or scores is None:
        return None
    own = scores.reshape(len(scores), -1)[:, part.column]
    if np.isnan(own).any():
        return None
    spread = np.zeros(whole.group_count)
    spread[whole.group_index[pair.rows]] = own[pair.student.table.group_index]
    return spread


def _mask_p_values(pair: Cohort, exchange: _Exchange) -> list[float | None]:
    first, second = pair.student.table, pair.other.table
    if not isinstance(first, MaskScores) or not isinstance(second, MaskScores):
        return [None] * len(pair.parts)
    if all(part.reason is not None for part in pair.parts):
        return [None] * len(pair.parts)
    found = mask_p_values(first, second, **exchange._asdict())
    return [
        None if part.reason is not None else found[part.metric][part.column] for part in pair.parts
    ]


def _judge(hurt: Hurt, corrected: float | None) -> Hurt:
    if corrected is None:
        return hurt
    low, high = hurt.difference.low, hurt.difference.high
    verdict = "undecided"
    if corrected < SIGNIFICANCE and low is not None and high is not None and not low <= 0 <= high:
        verdict = "better" if low > 0 else "worse"
    return replace(hurt, corrected=corrected, verdict=verdict)
