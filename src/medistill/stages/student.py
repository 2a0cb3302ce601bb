"""Student and control: the part of a run in which distilling happens."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medistill.bundle.trust import POOLED
from medistill.core.files import sha256_file, sha256_json
from medistill.methods.control import labels_alone
from medistill.methods.method import Method
from medistill.models.network import Network
from medistill.models.weights import load_weights
from medistill.recipe import ControlBlock
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.networks import block_json, build
from medistill.stages.predistil import predistil_steps, predistil_student, start_student
from medistill.stages.start_weights import start_hash
from medistill.stages.targets import distil_rows, teacher_side
from medistill.stages.teacher_base import WEIGHTS
from medistill.stages.training import Training, steps_for, train
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.targets import Targets
from medistill.train.device import run_device
from medistill.train.settings import TrainSettings

#: In a student's manifest: hash of its teacher's weights.
TAUGHT_BY = "teacher_before"


@dataclass(frozen=True, kw_only=True)
class Pupil:
    """A student or a control to be trained.

    Attributes:
        role: ``student`` or ``control``.
        fold: which parts.
        seed: which repetition.
        rows: images to train on.
        method: how targets become a loss.
        settings: how long and how fast.
        targets: the teacher's word; None for the control.
        teacher: who gives it; None for the control.
        base: weights to start from; None for random ones.
    """

    role: str
    fold: int
    seed: int
    rows: Sequence[int]
    method: Method
    settings: TrainSettings
    targets: Targets | None = None
    teacher: FrozenTeacher | None = None
    base: Path | None = None

    @property
    def teacher_size(self) -> int | None:
        """Side at which a live teacher sees the views."""
        return teacher_side(self.targets, self.teacher)


def train_student(
    context: Context,
    prepared: Prepared,
    fold: int,
    seed: int,
    teacher: FrozenTeacher,
    targets: Targets | None,
) -> None:
    """Train the student of one fold and seed, unless it is there already."""
    pupil = dataclasses.replace(
        student_of(context, prepared, fold, seed),
        targets=targets,
        teacher=teacher,
        base=predistil_student(context, prepared, fold, seed, teacher),
    )
    _train(context, prepared, pupil)


def train_control(context: Context, prepared: Prepared, fold: int, seed: int) -> None:
    """Train the control of one fold and seed, unless it is there already."""
    _train(context, prepared, control_of(context, prepared, fold, seed))


def student_of(context: Context, prepared: Prepared, fold: int, seed: int) -> Pupil:
    """The student of one fold and seed, without a teacher and without first weights so far."""
    recipe = context.recipe
    return Pupil(
        role="student",
        fold=fold,
        seed=seed,
        rows=distil_rows(prepared, fold),
        method=recipe.lesson,
        settings=_seeded(recipe.train, seed),
    )


def control_of(context: Context, prepared: Prepared, fold: int, seed: int) -> Pupil:
    """The control: same student, views and number of steps, labels alone.

    Steps that the student spent on learning without labels count: the control gets them too.
    """
    recipe = context.recipe
    settings = control_settings(recipe.train, recipe.control)
    steps = steps_for(len(distil_rows(prepared, fold)), settings.batch_size)
    more = math.ceil(predistil_steps(context, prepared, fold) / steps)
    settings = dataclasses.replace(settings, epochs=settings.epochs + more)
    return Pupil(
        role="control",
        fold=fold,
        seed=seed,
        rows=prepared.parts[fold].fit,
        method=labels_alone(recipe.method, prepared.images.task),
        settings=_seeded(settings, seed),
    )


def _seeded(settings: TrainSettings, seed: int) -> TrainSettings:
    return dataclasses.replace(settings, seed=settings.seed + seed)


def control_settings(train: TrainSettings, control: ControlBlock) -> TrainSettings:
    """The student's settings with the control's own searched values."""
    own = {key: value for key, value in dataclasses.asdict(control).items() if value is not None}
    return dataclasses.replace(train, **own)


def stage_name(context: Context, fold: int, seed: int, role: str) -> str:
    """Name of the student's or the control's stage."""
    return f"{context.scope(fold)}seed-{seed}/{role}"


def pupil_inputs(context: Context, prepared: Prepared, pupil: Pupil) -> dict[str, Any]:
    """What a student or a control is made from."""
    recipe, teacher = context.recipe, pupil.teacher
    return {
        "data": prepared.store.data_hash,
        "rows": sha256_json([pupil.rows, prepared.parts[pupil.fold].select]),
        "student": block_json(recipe.student),
        "method": block_json(pupil.method),
        "train": block_json(pupil.settings),
        "views": block_json(recipe.views),
        "teacher": teacher.identity if teacher else None,
        "targets": block_json(recipe.targets) if teacher else None,
        "steps_per_epoch": _steps(prepared, pupil),
        "base": sha256_file(pupil.base) if pupil.base else start_hash(recipe),
    }


def _steps(prepared: Prepared, pupil: Pupil) -> int:
    """The control takes as many steps as the student, whose unlabelled images it never sees."""
    return steps_for(len(distil_rows(prepared, pupil.fold)), pupil.settings.batch_size)


def _train(context: Context, prepared: Prepared, pupil: Pupil) -> None:
    recipe, settings = context.recipe, pupil.settings
    name = stage_name(context, pupil.fold, pupil.seed, pupil.role)
    inputs = pupil_inputs(context, prepared, pupil)
    if context.run.is_current(name, inputs):
        return
    with context.run.writing(name, inputs) as stage:
        torch.manual_seed(settings.seed)
        network = start_student(context, prepared, pupil.base)
        training = Training(
            network=network,
            method=pupil.method,
            rows=pupil.rows,
            select=prepared.parts[pupil.fold].select,
            views=recipe.views,
            settings=settings,
            targets=pupil.targets,
            teacher_size=pupil.teacher_size,
            steps_per_epoch=_steps(prepared, pupil),
        )
        listen = context.reporter.training(name)
        result = train(training, prepared, stage.folder, listen)
        stage.needed.append(WEIGHTS)
        stage.outputs.update(
            best_epoch=result.best_epoch, best_score=result.best_score, weights=result.which
        )
        if pupil.teacher is not None:
            before, after = pupil.teacher.verify_unchanged()
            stage.outputs.update({TAUGHT_BY: before, "teacher_after": after})


def open_student(context: Context, prepared: Prepared, fold: int, seed: int, role: str) -> Network:
    """A finished student or control, in eval mode on the device of the run.

    Raises:
        RunFolderError: it has not been finished, or its weights are gone or cut short.
    """
    name = stage_name(context, fold, seed, role)
    folder = context.run.whole(name)
    network = build(context, prepared, context.recipe.student)
    load_weights(network.backbone, folder / WEIGHTS)
    return network.eval().to(run_device())


def shipped_outputs(network: Network) -> Mapping[str, str]:
    """What a student's graph gives beside its logits: output name -> feature."""
    return {POOLED: POOLED} if POOLED in network.feature_names else {}
