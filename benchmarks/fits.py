"""One fit of a matrix: train one role of one fold and seed, and score it on one part."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.standing import network_scores, teacher_scores
from medistill.stages.student import (
    open_student,
    stage_name,
    train_control,
    train_student,
)
from medistill.stages.targets import make_targets
from medistill.stages.teacher import fit_teacher
from medistill.teacher.frozen import FrozenTeacher

Role = Literal["teacher", "student", "control"]
ROLES: tuple[Role, ...] = ("teacher", "student", "control")
#: Scores of a fit; a set has those that its labels allow.
SCORES = ("auroc", "loss", "dice")


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Which fit.

    Attributes:
        role: who is trained.
        fold: which parts.
        seed: which repetition.
        part: the images that judge: ``select`` or ``evaluate``.
    """

    role: Role
    fold: int
    seed: int
    part: str


def scored_fit(context: Context, prepared: Prepared, fit: Fit) -> dict[str, str]:
    """Train unless it is there already; scores and seconds as cells of a table."""
    started = time.monotonic()
    teacher = fit_teacher(context, prepared, fit.fold)
    if fit.role == "student":
        targets = make_targets(context, prepared, fit.fold, teacher)
        train_student(context, prepared, fit.fold, fit.seed, teacher, targets)
    elif fit.role == "control":
        train_control(context, prepared, fit.fold, fit.seed)
    scores = _scores(context, prepared, fit, teacher)
    seconds = time.monotonic() - started
    if fit.role != "teacher":
        name = stage_name(context, fit.fold, fit.seed, fit.role)
        seconds = context.run.manifest(name)["seconds"]
    return {name: _cell(scores.get(name)) for name in SCORES} | {"seconds": f"{seconds:.1f}"}


def _cell(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4f}"


def _scores(
    context: Context, prepared: Prepared, fit: Fit, teacher: FrozenTeacher
) -> Mapping[str, float]:
    """AUROC and loss of labels, Dice and loss of masks."""
    rows: Sequence[int] = prepared.parts[fit.fold].named()[fit.part]  # type: ignore[index]
    if fit.role == "teacher":
        # One of several members that draw masks is judged here, their mean in the report.
        return teacher_scores(teacher, prepared, rows)
    network = open_student(context, prepared, fit.fold, fit.seed, fit.role)
    return network_scores(network, prepared, rows)
