"""The teacher before labels: distilled without them from another model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from medistill.core.files import sha256_file, sha256_json
from medistill.data.views import ViewPolicy
from medistill.models.spec import ModelSpec
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.networks import block_json, build
from medistill.stages.start_weights import load_start, start_of
from medistill.stages.targets import targets_of, teacher_side
from medistill.stages.training import Training, lengthened, train
from medistill.teacher.frozen import FrozenTeacher
from medistill.train.device import run_device

BASE, WEIGHTS = "teacher-base", "weights.safetensors"


def teacher_views(context: Context) -> ViewPolicy:
    """Augmentation for fitting the teacher: its own, or the recipe's."""
    return context.recipe.teacher.views or context.recipe.views


def predistil(context: Context, prepared: Prepared, fold: int) -> Path | None:
    """Distil the teacher itself from another model, without labels; the file of its weights.

    It learns from the unlabelled images, once for all folds where all may use the same; where
    there are none, from the fold's own *fit* images, and then once a fold.
    """
    if context.recipe.teacher.predistil is None:
        return None
    name, inputs = base_stage(context, prepared, fold)
    if not context.run.is_current(name, inputs):
        with context.run.writing(name, inputs) as stage:
            rows, scope = _rows(prepared, fold), name.removesuffix(BASE)
            _predistil(context, prepared, rows, scope, stage.folder)
            stage.needed.append(WEIGHTS)
    return context.run.stage(name) / WEIGHTS


def base_stage(context: Context, prepared: Prepared, fold: int) -> tuple[str, dict[str, Any]]:
    """Name of the stage and what it is made from, for a teacher that is first distilled itself."""
    block, rows = context.recipe.teacher.predistil, _rows(prepared, fold)
    if block is None:
        raise ValueError("no predistil block")
    shared = len({unlabelled.rows for unlabelled in prepared.unlabelled.values()} | {rows}) == 1
    file = Path(block.weights)
    return BASE if shared else f"{context.scope(fold)}{BASE}", {
        "data": prepared.store.data_hash,
        "rows": sha256_json(rows),
        "weights": sha256_file(file) if file.is_file() else block.weights,
        "predistil": block_json(block),
        "targets": block_json(context.recipe.targets),
        "model": block_json(context.recipe.teacher.model),
        "views": block_json(teacher_views(context)),
    }


def _rows(prepared: Prepared, fold: int) -> tuple[int, ...]:
    return prepared.unlabelled[fold].rows or prepared.parts[fold].fit


def _predistil(
    context: Context, prepared: Prepared, rows: Sequence[int], scope: str, folder: Path
) -> None:
    block, views = context.recipe.teacher.predistil, teacher_views(context)
    if block is None:
        raise ValueError("no predistil block")
    torch.manual_seed(block.train.seed)
    student = build(context, prepared, context.recipe.teacher.model)
    frozen = _elder(context, prepared, block.model)
    targets = targets_of(context, prepared, scope, frozen, block.method.needs, rows, views)
    train(
        Training(
            network=student,
            method=block.method,
            rows=rows,
            select=(),
            views=views,
            settings=lengthened(block.train, len(rows), block.least_steps),
            targets=targets,
            teacher_size=teacher_side(targets, frozen),
        ),
        prepared,
        folder,
        context.reporter.training(BASE),
    )
    frozen.verify_unchanged()


def _elder(context: Context, prepared: Prepared, spec: ModelSpec) -> FrozenTeacher:
    """Whom the teacher learns from, frozen."""
    elder = build(context, prepared, spec)
    start = start_of(context.recipe, "elder")
    if start is not None:
        load_start(elder, start)
    return FrozenTeacher([elder], held_out=None).to(run_device())
