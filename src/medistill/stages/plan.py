"""What a run would do, with estimates of time, memory and disk; nothing is written."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.autograd.graph import saved_tensors_hooks

from medistill.data.layouts import phantom_settings, read_data
from medistill.data.unlabelled import read_unlabelled
from medistill.methods.supervised import Supervised
from medistill.models.build import build_model
from medistill.models.network import Network
from medistill.models.profile import count_parameters
from medistill.models.spec import ModelSpec
from medistill.recipe import Recipe
from medistill.stages.training import steps_for

_CLASSES = 2
# Weights, gradients, AdamW's two moments and the moving average, 4 bytes each.
_BYTES_PER_PARAMETER = 20
# An augmented view costs about this long to render on one core.
_VIEW_SECONDS = 0.002


@dataclass(frozen=True)
class Cost:
    """What one training step of a network costs here.

    Attributes:
        seconds: of forward, backward and update.
        forward: seconds of the forward pass alone.
        bytes: memory of weights, optimiser and everything saved for the backward pass.
    """

    seconds: float
    forward: float
    bytes: int


def plan(recipe: Recipe, out: Path) -> str:
    """The plan of a run as text.

    Times come from two training steps of the real networks on this machine, so they are good to
    perhaps a third; a larger batch of views or a busy machine moves them.
    """
    labelled, unlabelled = count_images(recipe)
    folds = 1 if recipe.data.folds == 1 or recipe.data.fold is not None else recipe.data.folds
    fit = round(labelled * _fit_share(recipe))
    teacher = measure(recipe.teacher.model, recipe, _teacher_batch(recipe))
    student = measure(recipe.student, recipe, recipe.train.batch_size)
    rows = _rows(recipe, fit, unlabelled, folds, teacher, student)
    total = sum(seconds for _, _, seconds in rows)
    lines = [f"Plan of '{recipe.name}' into {out}", ""]
    lines += [f"  {name:18} {what:58} {_duration(seconds):>9}" for name, what, seconds in rows]
    memory = max(teacher.bytes, student.bytes) + 600 * 2**20
    disk = _disk_bytes(recipe, labelled, fit, unlabelled, folds)
    lines += [
        "",
        f"  time about {_duration(total)}, memory about {memory / 2**30:.1f} GiB, "
        f"disk about {disk / 2**20:.0f} MiB",
    ]
    return "\n".join(lines)


def count_images(recipe: Recipe) -> tuple[int, int]:
    """Labelled and unlabelled images that a recipe names; phantoms are not drawn for it."""
    with tempfile.TemporaryDirectory() as cache:
        folder = Path(cache)
        labelled = _count(str(recipe.data.path), recipe.data.layout, folder)
        spec = recipe.data.unlabelled
        if spec is None:
            return labelled, 0
        if spec.startswith("phantom"):
            return labelled, _count(spec, "phantom", folder)
        return labelled, len(read_unlabelled(spec, cache=folder))


def _count(spec: str, layout: str | None, cache: Path) -> int:
    if spec.split(":", 1)[0] == "phantom":
        return phantom_settings(spec)[0]["count"]
    return len(read_data(spec, layout=layout, cache=cache).samples)


def _fit_share(recipe: Recipe) -> float:
    shares = recipe.data.shares
    if recipe.data.folds > 1:
        return 1 - 1 / recipe.data.folds - shares.select - shares.calibrate
    return 1 - shares.select - shares.calibrate - shares.evaluate


def _teacher_batch(recipe: Recipe) -> int:
    fit = recipe.teacher.fit
    return fit.batch_size if fit else 32


def measure(spec: ModelSpec, recipe: Recipe, batch: int) -> Cost:
    """Time and memory of a supervised step on random images."""
    network = build_model(spec, classes=_CLASSES, channels=recipe.data.channels)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    images = torch.rand((batch, *network.input_shape))
    _step(network, optimiser, images)
    started = time.perf_counter()
    saved = _step(network, optimiser, images)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    with torch.inference_mode():
        network.eval()(images)
    forward = time.perf_counter() - started
    memory = saved + _BYTES_PER_PARAMETER * count_parameters(network)
    return Cost(seconds, forward, memory)


def _step(network: Network, optimiser: torch.optim.Optimizer, images: torch.Tensor) -> int:
    """One step; the bytes that its backward pass needed."""
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.train()
    with saved_tensors_hooks(note, lambda tensor: tensor):
        network(images).logits.square().mean().backward()
    optimiser.step()
    optimiser.zero_grad()
    return sum(sizes.values())


def _rows(
    recipe: Recipe, fit: int, unlabelled: int, folds: int, teacher: Cost, student: Cost
) -> list[tuple[str, str, float]]:
    block, train = recipe.teacher, recipe.train
    seen, views = fit + unlabelled, recipe.views.count
    rows = [("data", f"{fit} images a fold to fit, {unlabelled} unlabelled, {folds} fold(s)", 0.0)]
    if block.predistil:
        steps = block.predistil.train.epochs * steps_for(
            unlabelled or fit, block.predistil.train.batch_size
        )
        times = 1 if unlabelled else folds
        scale = block.predistil.train.batch_size / _teacher_batch(recipe)
        seconds = times * steps * scale * 2 * teacher.seconds
        rows.append(("teacher-base", f"{steps} steps without labels, {times} time(s)", seconds))
    if block.fit:
        share = 1 - 1 / block.members if block.cross_fit else 1.0
        images = block.fit.epochs * fit * share * block.members * folds
        seconds = images * (teacher.seconds / block.fit.batch_size + _view_seconds())
        what = f"{block.fit.epochs} epochs, {block.members} member(s), {folds} fold(s)"
        rows.append(("teacher", what, seconds))
    if block.probe:
        images = block.probe.views * fit * folds
        seconds = images * (teacher.forward / _teacher_batch(recipe) + _view_seconds())
        rows.append(("teacher", f"{images} views through a body that keeps its weights", seconds))
    if recipe.method.needs and recipe.targets.mode == "cached":
        asked = seen * views * folds
        seconds = asked * (teacher.forward / _teacher_batch(recipe) + _view_seconds())
        rows.append(("targets", f"{asked} views asked once", seconds))
    if recipe.predistil:
        rows.append(_predistil_row(recipe, seen, folds, teacher, student))
    steps = train.epochs * steps_for(seen, train.batch_size)
    each = steps * (student.seconds + train.batch_size * _view_seconds())
    runs = folds * recipe.seeds
    live = steps * teacher.forward if recipe.targets.mode == "live" else 0.0
    method = type(recipe.method) is not Supervised
    what = f"{steps} steps, {folds} fold(s), {recipe.seeds} seed(s)"
    rows.append(("student", what, runs * (each + live) if method else runs * each))
    rows.append(("control", what, runs * each))
    rows.append(("evaluation", "predictions, 2,000 resamples, report, bundle", 30.0))
    return rows


def _predistil_row(
    recipe: Recipe, seen: int, folds: int, teacher: Cost, student: Cost
) -> tuple[str, str, float]:
    """The student's label-free stage, and the control's as many steps."""
    settings = recipe.predistil.train if recipe.predistil else recipe.train
    steps = settings.epochs * steps_for(seen, settings.batch_size)
    scale = settings.batch_size / recipe.train.batch_size
    live = teacher.forward if recipe.targets.mode == "live" else 0.0
    each = scale * (student.seconds + live) + settings.batch_size * _view_seconds()
    seconds = 2 * folds * recipe.seeds * steps * each
    return "student-base", f"{steps} steps without labels, and the control's as many", seconds


def _view_seconds() -> float:
    return _VIEW_SECONDS / max(1, min(2, os.cpu_count() or 1))


def _disk_bytes(recipe: Recipe, labelled: int, fit: int, unlabelled: int, folds: int) -> int:
    side, planes = recipe.data.stored_size, 3 if recipe.data.channels == "rgb" else 1
    stored = (labelled + unlabelled) * side * side * 2 * planes * 5 // 4
    targets = (fit + unlabelled) * recipe.views.count * _CLASSES * 2 * folds
    networks = [
        (recipe.teacher.model, recipe.teacher.members * folds),
        (recipe.student, 2 * folds * recipe.seeds),
    ]
    weights = sum(
        copies * 20 * count_parameters(build_model(spec, classes=_CLASSES))
        for spec, copies in networks
    )
    return stored + targets + weights


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
