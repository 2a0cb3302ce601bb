"""Whom does the student serve worse than its teacher, or than its control?

Every class and every subgroup is tested against every other model in one family, which Holm's
correction holds together: classes by sensitivity and AUROC (masks: by Dice), subgroups by accuracy
and AUROC (labels that are not exclusive: by AUROC; masks: by Dice). Classes and subgroups with
fewer than ten groups, or with fewer than ten images that have and ten that lack the finding, are
named and not tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.bootstrap import Resamples, draw_resamples
from medistill.evaluate.difference import SIGNIFICANCE, paired_estimates
from medistill.evaluate.grouped import Table
from medistill.evaluate.harm_parts import Part, harm_parts
from medistill.evaluate.holm import holm
from medistill.evaluate.intervals import Estimate, plural
from medistill.evaluate.mask_paired import mask_p_values
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.paired import sign_flip_p, swap_scores
from medistill.evaluate.scored import score_metric
from medistill.evaluate.subgroups import Subgroup

FLIPS = 10_000
RESAMPLES = 2000
UNDEFINED = "the difference is not defined here"


@dataclass(frozen=True, kw_only=True)
class Hurt:
    """One class or subgroup, compared with one other model.

    Attributes:
        other: ``teacher`` or ``control``.
        kind: ``class`` or ``subgroup``.
        name: of the class or subgroup.
        metric: name of the metric.
        title: the metric within a sentence.
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
    student: Table,
    others: Mapping[str, Table],
    *,
    classes: Sequence[str],
    parts: Sequence[Subgroup] = (),
    word: str,
    seed: int = 0,
) -> list[Hurt]:
    """Compare class by class and subgroup by subgroup; what is worse beyond chance comes first.

    Args:
        student: its table.
        others: of the teacher and the control, on the same images; may be empty.
        classes: names of what the tables have figures of.
        parts: subgroups of the images.
        word: what a group is called.
        seed: of resamples and exchanges.
    """
    chosen = harm_parts(student, classes, parts)
    found = [
        each
        for other, table in others.items()
        for each in _against(student, table, other, chosen, word, seed)
    ]
    corrected = holm([each.p for each in found])
    judged = [_judge(each, p) for each, p in zip(found, corrected, strict=True)]
    rank = {"worse": 0, "better": 1, "undecided": 2, "not tested": 3}
    return sorted(judged, key=lambda each: (rank[each.verdict], each.corrected or 0.0))


def in_words(found: Sequence[Hurt]) -> tuple[list[str], list[str]]:
    """Who is served worse, one sentence each; and what was not shown or could not be tested."""
    worse = [_sentence(each, found) for each in found if each.verdict == "worse"]
    tested, rest = sum(each.p is not None for each in found), []
    if not worse and tested:
        rest.append(
            "No class or subgroup is shown to be served worse than by the teacher or the control "
            f"({plural('comparison', tested)}, corrected together)."
        )
    silent = list(dict.fromkeys(f"{e.name} ({e.reason})" for e in found if e.p is None))
    if silent:
        rest.append(f"Not tested for harm: {'; '.join(silent)}.")
    return worse, rest


def _against(
    student: Table, other: Table, name: str, parts: Sequence[Part], word: str, seed: int
) -> list[Hurt]:
    found = []
    for part in parts:
        pair = (student, other) if part.rows is None else (_part(student, part), _part(other, part))
        drawn = draw_resamples(pair[0], resamples=RESAMPLES, seed=seed)
        found.append(_compare(pair[0], pair[1], name, part, drawn, word))
    p_values = _p_values(student, other, parts, seed)
    return [
        replace(
            each,
            p=p,
            reason=(each.reason or each.difference.reason or UNDEFINED) if p is None else None,
        )
        for each, p in zip(found, p_values, strict=True)
    ]


def _part(table: Table, part: Part) -> Table:
    return table if part.rows is None else table.only(part.rows)


def _compare(
    student: Table, other: Table, name: str, part: Part, drawn: Resamples, word: str
) -> Hurt:
    metric = student.metrics[part.metric]
    first, second = (score_metric(table, metric, drawn) for table in (student, other))
    values = [float(np.atleast_1d(s.values[metric.name])[part.column]) for s in (first, second)]
    return Hurt(
        other=name,
        kind=part.kind,
        name=part.name,
        metric=metric.name,
        title=metric.in_text,
        student=None if np.isnan(values[0]) else values[0],
        against=None if np.isnan(values[1]) else values[1],
        difference=paired_estimates(first, second, metric, word)[part.column],
        reason=part.reason,
    )


def _p_values(student: Table, other: Table, parts: Sequence[Part], seed: int) -> list[float | None]:
    """One for each part, None where it is not tested; all under the same exchanges of groups."""
    if isinstance(student, MaskScores):
        return [_mask_p(student, other, part, seed) for part in parts]
    columns = [_scores(student, other, part) for part in parts]
    tested = [column for column in columns if column is not None]
    if not tested:
        return [None] * len(parts)
    found = iter(sign_flip_p(np.stack(tested, axis=1), flips=FLIPS, seed=seed).tolist())
    return [None if column is None else next(found) for column in columns]


def _scores(student: Table, other: Table, part: Part) -> Floats | None:
    """What each group of the whole table adds to the difference, (G,); None where not tested."""
    if part.reason is not None:
        return None
    first, second = _part(student, part), _part(other, part)
    scores = swap_scores(part.metric, first, second)
    if scores is None:
        return None
    own = scores.reshape(len(scores), -1)[:, part.column]
    if np.isnan(own).any():
        return None
    rows = np.arange(len(student)) if part.rows is None else part.rows
    spread = np.zeros(student.group_count)
    spread[student.group_index[rows]] = own[first.group_index]
    return spread


def _mask_p(student: Table, other: Table, part: Part, seed: int) -> float | None:
    first, second = _part(student, part), _part(other, part)
    if part.reason is not None or not isinstance(first, MaskScores):
        return None
    if not isinstance(second, MaskScores):
        return None
    return mask_p_values(first, second, flips=FLIPS, seed=seed)[part.metric][part.column]


def _judge(hurt: Hurt, corrected: float | None) -> Hurt:
    if corrected is None:
        return hurt
    low, high = hurt.difference.low, hurt.difference.high
    verdict = "undecided"
    if corrected < SIGNIFICANCE and low is not None and high is not None and not low <= 0 <= high:
        verdict = "better" if low > 0 else "worse"
    return replace(hurt, corrected=corrected, verdict=verdict)


def _sentence(hurt: Hurt, found: Sequence[Hurt]) -> str:
    tested = sum(each.p is not None for each in found)
    low, high = hurt.difference.low or 0.0, hurt.difference.high or 0.0
    return (
        f"The student serves the {hurt.kind} '{hurt.name}' worse than the {hurt.other}: "
        f"{hurt.title} {hurt.student or 0:.3f} against {hurt.against or 0:.3f}, a difference of "
        f"{hurt.difference.estimate or 0:+.3f} (95 % interval {low:.3f} to {high:.3f}, "
        f"{_p_text(hurt.corrected)} corrected over {plural('comparison', tested)})."
    )


def _p_text(p: float | None) -> str:
    return "p < 0.001" if p is not None and p < 0.001 else f"p = {p or 0:.3f}"
