"""Teacher stage: fit its members on the labels and freeze them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from medistill.core.files import sha256_file, sha256_json
from medistill.data.parts import cross_folds, cut_part
from medistill.methods.control import labels_alone
from medistill.methods.method import Method
from medistill.models.network import Network
from medistill.models.probe import probed
from medistill.models.weights import load_weights
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.networks import block_json, build
from medistill.stages.probe import ProbeFitter
from medistill.stages.stage_means import StageMeans
from medistill.stages.start_weights import load_start, start_of
from medistill.stages.teacher_base import predistil, teacher_views
from medistill.stages.training import Training, train
from medistill.teacher.frozen import FrozenTeacher
from medistill.train.checkpoint import cpu_copy, save_weights
from medistill.train.device import run_device


def fit_teacher(context: Context, prepared: Prepared, fold: int) -> FrozenTeacher:
    """Run the teacher stage of a fold, or open it when its inputs have not changed."""
    name = teacher_name(context, fold)
    base = predistil(context, prepared, fold)
    inputs = teacher_inputs(context, prepared, fold, base)
    if not context.run.is_current(name, inputs):
        _write(context, prepared, fold, name, inputs, base)
    return open_teacher(context, prepared, fold)


def teacher_name(context: Context, fold: int) -> str:
    """Name of the teacher's stage."""
    return f"{context.scope(fold)}teacher"


def teacher_inputs(
    context: Context, prepared: Prepared, fold: int, base: Path | None
) -> dict[str, Any]:
    """What the teacher of a fold is made from; ``base`` is what :func:`predistil` left."""
    block, parts = context.recipe.teacher, prepared.parts[fold]
    given = base or (Path(block.weights) if block.weights not in (None, "published") else None)
    inputs = {
        "data": prepared.store.data_hash,
        "rows": sha256_json([parts.fit, parts.select]),
        "teacher": block_json(block),
        "views": dataclasses.asdict(teacher_views(context)),
        "weights": sha256_file(given) if given and given.is_file() else str(given),
    }
    if block.fit is not None:
        # The loss on labels can have values of the student's method: RMS-Net's focus, for one.
        inputs["method"] = block_json(_loss(context, prepared))
    return inputs


def _loss(context: Context, prepared: Prepared) -> Method:
    """What a fitted teacher learns the labels by."""
    return labels_alone(context.recipe.method, prepared.images.task)


def _write(
    context: Context,
    prepared: Prepared,
    fold: int,
    name: str,
    inputs: Mapping[str, Any],
    base: Path | None,
) -> None:
    block = context.recipe.teacher
    with context.run.writing(name, inputs) as stage:
        plans = member_rows(context, prepared, fold)
        prober = _prober(context, prepared, str(inputs["weights"]))
        for number, (rows, select) in enumerate(plans):
            final = stage.folder / _weights_name(number)
            stage.needed.append(final.name)
            if final.exists():
                continue
            network = _start(context, prepared, number, base)
            title = f"{name} {number + 1}/{len(plans)}"
            if prober:
                network = probed(network)
                context.reporter.say(f"{title}: {prober.fit(network, rows, select)}")
            if block.fit is None:
                save_weights(final, cpu_copy(network.backbone))
            else:
                folder = stage.folder / f"fit-{number}"
                folder.mkdir(exist_ok=True)
                _fit_member(context, prepared, network, rows, select, folder, title, number)
                (folder / "weights.safetensors").rename(final)
        teacher = _freeze(context, prepared, stage.folder, fold)
        stage.outputs.update(
            weights_hash=teacher.weights_hash,
            members=len(plans),
            cross_fitted=block.cross_fit,
            fitted_on=_hashes(prepared, [row for rows, _ in plans for row in rows]),
        )


def _prober(context: Context, prepared: Prepared, weights: str) -> ProbeFitter | None:
    """A fitter of probes that knows what this body said of the images in earlier folds."""
    block, views = context.recipe.teacher, teacher_views(context)
    if block.probe is None:
        return None
    body = sha256_json(
        [block_json(block.model), block.weights, block_json(views), block.probe.views, weights]
    )
    if body not in prepared.stage_means:
        prepared.stage_means[body] = StageMeans(context.run.path, block.probe.views)
    return ProbeFitter(prepared, block.probe, views, prepared.stage_means[body])


def _hashes(prepared: Prepared, rows: Sequence[int]) -> list[str]:
    return sorted({prepared.store.hashes[row] for row in rows})


def member_rows(
    context: Context, prepared: Prepared, fold: int
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """For each member the rows it is fitted on and the rows that choose its checkpoint.

    A cross-fitted member k sees neither fold k of the *fit* groups nor any image whose pixels
    equal one there; its checkpoint is chosen on groups cut from its own folds.
    """
    block, parts = context.recipe.teacher, prepared.parts[fold]
    if not block.cross_fit:
        return [(parts.fit, parts.select)] * block.members
    held = held_out(context, prepared, fold)
    hashes, seed = prepared.store.hashes, context.recipe.data.seed
    share = context.recipe.data.shares.select
    seen = [
        tuple(row for row in parts.fit if held[hashes[row]] != member)
        for member in range(block.members)
    ]
    return [
        cut_part(prepared.images, rows, share=share, seed=seed + member)
        for member, rows in enumerate(seen)
    ]


def held_out(context: Context, prepared: Prepared, fold: int) -> dict[str, int]:
    """For each training image, by content hash, the member that never saw it."""
    block, parts = context.recipe.teacher, prepared.parts[fold]
    folds = cross_folds(
        prepared.images, parts.fit, folds=block.members, seed=context.recipe.data.seed
    )
    held: dict[str, int] = {}
    for row in parts.fit:
        held.setdefault(prepared.store.hashes[row], folds[row])
    return held


def _start(context: Context, prepared: Prepared, number: int, base: Path | None) -> Network:
    """A member before it is fitted: published, given, pre-distilled or random weights."""
    block = context.recipe.teacher
    # Members that are not fitted whole have one body, its unused classifier too.
    torch.manual_seed(block.fit.seed + number if block.fit else 0)
    network = build(context, prepared, block.model)
    start = start_of(context.recipe, "teacher")
    if base is not None:
        proof = load_weights(network.backbone, base, ignore_head=True)
    elif start is not None:
        proof = load_start(network, start)
    else:
        return network
    if number == 0:
        context.reporter.say(f"Teacher weights: {proof}")
    return network


def _fit_member(
    context: Context,
    prepared: Prepared,
    network: Network,
    rows: Sequence[int],
    select: Sequence[int],
    folder: Path,
    title: str,
    number: int,
) -> None:
    """Fit one member on the labels; its best weights lie in the folder afterwards."""
    settings = context.recipe.teacher.fit
    if settings is None:
        raise ValueError("a teacher without a fit block is not fitted")
    train(
        Training(
            network=network,
            method=_loss(context, prepared),
            rows=rows,
            select=select,
            views=teacher_views(context),
            settings=dataclasses.replace(settings, seed=settings.seed + number),
        ),
        prepared,
        folder,
        context.reporter.training(title),
    )


def open_teacher(context: Context, prepared: Prepared, fold: int) -> FrozenTeacher:
    """The frozen teacher of a finished stage, on the device of the run.

    Raises:
        RunFolderError: it has not been finished, or its weights are gone or cut short.
    """
    name = teacher_name(context, fold)
    return _freeze(context, prepared, context.run.whole(name), fold)


def _freeze(context: Context, prepared: Prepared, folder: Path, fold: int) -> FrozenTeacher:
    block = context.recipe.teacher
    members = []
    for number in range(block.members):
        network = build(context, prepared, block.model)
        network = probed(network) if block.probe else network
        load_weights(network.backbone, folder / _weights_name(number))
        members.append(network)
    held = held_out(context, prepared, fold) if block.cross_fit else None
    # Hashed where it was made; a move changes no bit.
    teacher = FrozenTeacher(members, held_out=held, task=prepared.images.task)
    return teacher.to(run_device())


def _weights_name(number: int) -> str:
    """File of a member's weights."""
    return f"member-{number}.safetensors"
