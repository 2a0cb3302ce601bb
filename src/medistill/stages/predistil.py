"""Student before labels: distilled without them on everything that may be seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from medistill.core.files import sha256_json
from medistill.models.network import Network
from medistill.models.weights import load_weights
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.networks import block_json, build
from medistill.stages.start_weights import load_start, start_hash, start_of
from medistill.stages.targets import distil_rows, make_targets, teacher_side
from medistill.stages.teacher_base import WEIGHTS
from medistill.stages.training import Training, steps_for, train
from medistill.teacher.frozen import FrozenTeacher


def predistil_steps(context: Context, prepared: Prepared, fold: int) -> int:
    """Optimiser steps of the label-free stage; 0 where the recipe has none."""
    block = context.recipe.predistil
    if block is None:
        return 0
    rows = len(distil_rows(prepared, fold))
    return block.train.epochs * steps_for(rows, block.train.batch_size)


def predistil_student(
    context: Context, prepared: Prepared, fold: int, seed: int, teacher: FrozenTeacher
) -> Path | None:
    """Run the label-free stage of one fold and seed; the file of its weights.

    Returns:
        None where the recipe has no such stage.
    """
    if context.recipe.predistil is None:
        return None
    name = base_name(context, fold, seed)
    inputs = {**base_inputs(context, prepared, fold, seed), "teacher": teacher.identity}
    if not context.run.is_current(name, inputs):
        with context.run.writing(name, inputs) as stage:
            _train(context, prepared, fold, seed, teacher, stage.folder, name)
            stage.needed.append(WEIGHTS)
    return context.run.stage(name) / WEIGHTS


def base_name(context: Context, fold: int, seed: int) -> str:
    """Name of the label-free stage of one fold and seed."""
    return f"{context.scope(fold)}seed-{seed}/student-base"


def base_inputs(context: Context, prepared: Prepared, fold: int, seed: int) -> dict[str, Any]:
    """What the label-free stage is made from, beside its teacher."""
    recipe = context.recipe
    return {
        "data": prepared.store.data_hash,
        "rows": sha256_json(distil_rows(prepared, fold)),
        "student": block_json(recipe.student),
        "start": start_hash(recipe),
        "predistil": block_json(recipe.predistil),
        "views": block_json(recipe.views),
        "targets": block_json(recipe.targets),
        "seed": seed,
    }


def start_student(context: Context, prepared: Prepared, base: Path | None = None) -> Network:
    """The student before its training: distilled without labels, published, given or random."""
    network = build(context, prepared, context.recipe.student)
    start = start_of(context.recipe, "student")
    if base is not None:
        load_weights(network.backbone, base)
    elif start is not None:
        load_start(network, start)
    return network


def _train(
    context: Context,
    prepared: Prepared,
    fold: int,
    seed: int,
    teacher: FrozenTeacher,
    folder: Path,
    name: str,
) -> None:
    recipe, block = context.recipe, context.recipe.predistil
    if block is None:
        raise ValueError("no predistil block")
    settings = dataclasses.replace(block.train, seed=block.train.seed + seed)
    torch.manual_seed(settings.seed)
    network = start_student(context, prepared)
    targets = make_targets(context, prepared, fold, teacher, method=block.method)
    train(
        Training(
            network=network,
            method=block.method,
            rows=distil_rows(prepared, fold),
            select=(),
            views=recipe.views,
            settings=settings,
            targets=targets,
            teacher_size=teacher_side(targets, teacher),
        ),
        prepared,
        folder,
        context.reporter.training(name),
    )
    teacher.verify_unchanged()
