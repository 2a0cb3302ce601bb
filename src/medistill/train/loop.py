"""The training loop: teachers, students and controls all learn here."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from medistill.core.types import Task
from medistill.methods.method import Method
from medistill.models.network import Network
from medistill.teacher.targets import Targets
from medistill.train.epoch_log import EpochLog
from medistill.train.fingerprint import fingerprint
from medistill.train.history import History, Row
from medistill.train.lessons import Lessons, Stream
from medistill.train.mixing import refuse_unmixable
from medistill.train.optimiser import clip_gradients, learning_rate, set_learning_rate
from medistill.train.precision import make_fabric
from medistill.train.progress import Pace, Progress, ProgressEvent, silent
from medistill.train.seeding import exactness, seed_everything, seed_step
from medistill.train.selection import Which
from medistill.train.settings import TrainSettings
from medistill.train.state import CHECKPOINT, Score, TrainState, new_state
from medistill.train.trainee import make_trainee

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["FitResult", "ProgressEvent", "fit"]


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What a training came to.

    Attributes:
        best_epoch: the epoch, from 1, whose weights are the result.
        best_score: the value of ``TrainSettings.select_by`` on *select*; None for ``last``.
        scores: everything that the validator said of the result.
        which: trained weights or their moving average.
        epochs: epochs trained, fewer than planned after an early stop.
        history: one row an epoch, as in ``history.csv``.
        weights_path: the backbone's state dict as safetensors.
    """

    best_epoch: int
    best_score: float | None
    scores: Mapping[str, float]
    which: Which
    epochs: int
    history: Sequence[Row]
    weights_path: Path


def fit(
    network: Network,
    method: Method,
    *,
    stream: Stream,
    targets: Targets | None,
    settings: TrainSettings,
    steps_per_epoch: int,
    folder: Path,
    score: Score,
    progress: Progress = silent,
    task: Task = "single-label",
    inputs: Mapping[str, str] | None = None,
    fabric: Fabric | None = None,
) -> FitResult:
    """Train a network, or resume what a kill interrupted in ``folder``.

    After every epoch the state goes atomically to ``folder/last.pt``. Killed and resumed, a
    training on a CPU ends with the same weights bit for bit, given the same initial weights and
    number of threads; a finished one is not repeated. Ctrl-C leaves ``last.pt`` valid.

    Args:
        network: initialised by the caller; holds the best weights afterwards.
        method: turns outputs and targets into the terms of the loss.
        stream: batches by step.
        targets: what the teacher says of a batch, or None for a method without a teacher.
        settings: how to train.
        steps_per_epoch: optimiser steps between two looks at *select*.
        folder: gets ``last.pt``, ``history.csv``, ``tensorboard/`` and ``weights.safetensors``;
            ``best.safetensors`` while training lasts.
        score: says ``auroc`` and ``loss`` (and whatever else should be logged) of a network on
            *select*; is called in eval mode without gradients, in float32, for the trained
            weights and for their average.
        progress: is told of every step.
        task: what the labels are, for label smoothing.
        inputs: further values on which the result depends, by name, for example the hashes of
            data and teacher; a checkpoint with other ones is refused.
        fabric: device and precision; found out where None.

    Raises:
        RecipeError: mixing was asked for, and the targets cannot follow it.
        MachineError: this is one of several processes, or ``settings.exact`` asks for a kernel
            that the device does not have.
        RunFolderError: ``folder`` holds another training, or cannot be written.
        TrainingDivergedError: a term of the loss or the gradient is not finite.
    """
    refuse_unmixable(settings, targets)
    fabric = fabric or make_fabric(settings.precision)
    lessons = Lessons(
        stream=stream, targets=targets, settings=settings, task=task, device=fabric.device
    )
    made_of = fingerprint(
        settings,
        method,
        network,
        device=fabric.device,
        steps_per_epoch=steps_per_epoch,
        inputs=inputs or {},
    )
    with exactness(settings.exact):
        seed_everything(settings.seed)  # for the adapters' initial weights
        trainee = make_trainee(network.to(fabric.device), method, lessons)
        total_steps = settings.epochs * steps_per_epoch
        state = new_state(trainee, settings, total_steps, folder, made_of, fabric)
        state.resume()
        _train(state, lessons, steps_per_epoch, score, progress)
    return _result(state, settings)


def _train(
    state: TrainState,
    lessons: Lessons,
    steps_per_epoch: int,
    score: Score,
    progress: Progress,
) -> None:
    """The epochs that are left."""
    settings, fabric = lessons.settings, state.fabric
    history = History(state.folder, state.rows)
    pace = Pace(epochs=settings.epochs, steps_per_epoch=steps_per_epoch)
    # One sequence for all epochs, so that workers render on while the epoch is scored.
    sequence = lessons.between(state.epoch * steps_per_epoch, settings.epochs * steps_per_epoch)
    with closing(history), closing(sequence):
        while state.epoch < settings.epochs and not state.stopped(settings.patience):
            log = EpochLog(state.epoch + 1, settings, state.folder / CHECKPOINT)
            state.module.train()
            for step in range(state.epoch * steps_per_epoch, (state.epoch + 1) * steps_per_epoch):
                lesson = next(sequence)
                rate = learning_rate(step, settings, steps_per_epoch=steps_per_epoch)
                set_learning_rate(state.optimiser, rate)
                seed_step(settings.seed, step, device=fabric.device)
                terms = state.module(lesson)
                loss = functools.reduce(torch.add, terms.values())
                fabric.backward(loss)
                norm = clip_gradients(state.trainee, settings.clip_norm)
                state.optimiser.step()
                state.optimiser.zero_grad()
                if state.ema:
                    state.ema.update(step)
                images = len(lesson.batch)
                log.add(step, terms, loss, norm, images=images)
                progress(pace.event(step, images=images, loss=log.newest_loss))
            trained = log.row()
            state.epoch += 1
            scored = state.validate(score, settings.select_by)
            row = {"epoch": state.epoch, "step": step + 1, "lr": rate, **trained, **scored}
            state.rows = (*state.rows, row)
            state.save()
            history.update(state.rows)


def _result(state: TrainState, settings: TrainSettings) -> FitResult:
    best = state.best
    if best is None:
        raise RuntimeError("a training ended without an epoch")
    return FitResult(
        best_epoch=best.epoch,
        best_score=best.scores.get(settings.select_by),
        scores=best.scores,
        which=best.which,
        epochs=state.epoch,
        history=state.rows,
        weights_path=state.finish(best),
    )
