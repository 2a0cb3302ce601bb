"""Whom does the student serve worse than its teacher, or than its control?

Every class (by its sensitivity) and every subgroup (by its accuracy) is tested against every
other model in one family, which Holm's correction holds together. Classes and subgroups with fewer
than ten groups, or with fewer than ten images that have and ten that lack the finding, are named
and not tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.difference import SIGNIFICANCE
from medistill.evaluate.holm import holm
from medistill.evaluate.intervals import FEWEST_GROUPS, Estimate, plural
from medistill.evaluate.paired import sign_flip_p
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.shares import Clusters, clusters, mean
from medistill.evaluate.subgroups import Subgroup

FEWEST_EVENTS = 10
FLIPS = 10_000


@dataclass(frozen=True, kw_only=True)
class Hurt:
    """One class or subgroup, compared with one other model.

    Attributes:
        other: ``teacher`` or ``control``.
        kind: ``class`` or ``subgroup``.
        name: of the class or subgroup.
        metric: ``sensitivity`` of a class, ``accuracy`` in a subgroup.
        student: value of the student.
        against: value of the other model.
        difference: student minus other, with interval.
        p: by sign flips of groups; None where not tested.
        corrected: after Holm over everything that was tested.
        verdict: ``worse`` or ``better`` if ``corrected`` is below .05 and the interval leaves out
            0; ``undecided``; or ``not tested``.
        reason: why it was not tested, as a clause.
    """

    other: str
    kind: str
    name: str
    metric: str
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
    student: Predictions,
    others: Mapping[str, Predictions],
    *,
    classes: Sequence[str],
    parts: Sequence[Subgroup] = (),
    word: str,
    seed: int = 0,
) -> list[Hurt]:
    """Compare class by class and subgroup by subgroup; what is worse beyond chance comes first.

    Args:
        student: its predictions.
        others: of the teacher and the control, on the same images; may be empty.
        classes: names.
        parts: subgroups of the images.
        word: what a group is called.
        seed: of resamples and flips.
    """
    drawn = clusters(student.groups, word=word, seed=seed)
    found = [
        _compare(student, table, other, part, drawn, seed)
        for other, table in others.items()
        for part in [*_classes(student, classes), *_subgroups(student, parts)]
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    kind: str
    name: str
    metric: str
    rows: np.ndarray
    reason: str | None


def _classes(table: Predictions, classes: Sequence[str]) -> list[_Part]:
    parts = []
    for column, name in enumerate(classes):
        rows = np.flatnonzero(table.labels == column)
        reason = _too_little(table, rows, rows.size, len(table) - rows.size)
        parts.append(_Part(kind="class", name=name, metric="sensitivity", rows=rows, reason=reason))
    return parts


def _subgroups(table: Predictions, given: Sequence[Subgroup]) -> list[_Part]:
    usual = int(np.bincount(table.labels).argmax())
    parts = []
    for each in given:
        events = int((table.labels[each.rows] != usual).sum())
        reason = _too_little(table, each.rows, events, each.rows.size - events)
        parts.append(
            _Part(kind="subgroup", name=each.name, metric="accuracy", rows=each.rows, reason=reason)
        )
    return parts


def _too_little(table: Predictions, rows: np.ndarray, events: int, rest: int) -> str | None:
    groups = int(np.unique(table.group_index[rows]).size)
    if groups < FEWEST_GROUPS:
        return f"too few groups, {groups}"
    if min(events, rest) < FEWEST_EVENTS:
        return f"too few images, {min(events, rest)}"
    return None


def _compare(
    student: Predictions, other: Predictions, name: str, part: _Part, drawn: Clusters, seed: int
) -> Hurt:
    among = np.zeros(len(student), dtype=bool)
    among[part.rows] = True
    pair = [t.probabilities.argmax(axis=1) == t.labels for t in (student, other)]
    gained = pair[0].astype(np.float64) - pair[1]
    values = [float(right[among].mean()) if among.any() else None for right in pair]
    hurt = Hurt(
        other=name,
        kind=part.kind,
        name=part.name,
        metric=part.metric,
        student=values[0],
        against=values[1],
        difference=mean(gained, among, drawn, scale="difference"),
        reason=part.reason,
    )
    if part.reason is not None:
        return hurt
    return replace(hurt, p=_p(gained, among, student.group_index, seed))


def _p(gained: Floats, among: np.ndarray, groups: np.ndarray, seed: int) -> float:
    scores = np.bincount(groups, np.where(among, gained, 0.0))[:, None].astype(np.float64)
    return float(sign_flip_p(scores, flips=FLIPS, seed=seed)[0])


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
    where = f"the class '{hurt.name}'" if hurt.kind == "class" else f"the subgroup '{hurt.name}'"
    low, high = hurt.difference.low or 0.0, hurt.difference.high or 0.0
    return (
        f"The student serves {where} worse than the {hurt.other}: {hurt.metric} "
        f"{hurt.student or 0:.3f} against {hurt.against or 0:.3f}, a difference of "
        f"{hurt.difference.estimate or 0:+.3f} (95 % interval {low:.3f} to {high:.3f}, "
        f"{_p_text(hurt.corrected)} corrected over {plural('comparison', tested)})."
    )


def _p_text(p: float | None) -> str:
    return "p < 0.001" if p is not None and p < 0.001 else f"p = {p or 0:.3f}"
