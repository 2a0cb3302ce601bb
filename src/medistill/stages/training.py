"""One training: a network, rows, a method; used for teachers, students and controls alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from medistill.data.balance import balanced_shares
from medistill.data.loader import ViewStream
from medistill.data.views import ViewPolicy
from medistill.methods.method import Method
from medistill.models.network import Network
from medistill.stages.data import Prepared
from medistill.stages.mask_prediction import mask_scores
from medistill.stages.prediction import predict_rows
from medistill.stages.scoring import selection_scores
from medistill.teacher.targets import Targets
from medistill.train.loop import FitResult, fit
from medistill.train.progress import Progress
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one training is made of.

    Attributes:
        network: the network to train, already initialised.
        method: how targets become a loss.
        rows: images to train on.
        select: images that choose the checkpoint; none with ``select_by=last``.
        views: augmentation.
        settings: how long and how fast.
        targets: the teacher's word, or None.
        teacher_size: side at which the teacher sees the views, or None when it is not asked live.
        steps_per_epoch: optimiser steps between two looks at *select*.
    """

    network: Network
    method: Method
    rows: Sequence[int]
    select: Sequence[int]
    views: ViewPolicy
    settings: TrainSettings
    targets: Targets | None = None
    teacher_size: int | None = None
    steps_per_epoch: int | None = None


def steps_for(rows: int, batch_size: int) -> int:
    """Optimiser steps in which a stream shows each of ``rows`` images about once; at least 1."""
    return max(1, round(rows / batch_size))


def lengthened(settings: TrainSettings, rows: int, least_steps: int) -> TrainSettings:
    """With as many epochs more as ``least_steps`` need, where ``rows`` images are too few."""
    needed = math.ceil(least_steps / steps_for(rows, settings.batch_size))
    return dataclasses.replace(settings, epochs=max(settings.epochs, needed))


def train(
    training: Training,
    prepared: Prepared,
    folder: Path,
    listen: Progress,
) -> FitResult:
    """Train, or resume what a kill interrupted in ``folder``."""
    settings = training.settings
    stream = ViewStream(
        prepared.store,
        torch.from_numpy(prepared.labels),
        training.rows,
        training.views,
        batch_size=min(settings.batch_size, len(training.rows)),
        seed=settings.seed,
        student_size=training.network.view_size,
        teacher_size=training.teacher_size,
        workers=settings.workers,
        masks=prepared.masks,
        memory=prepared.views,
        shares=balanced_shares(prepared.labels, training.rows, settings.balance),
    )
    return fit(
        training.network,
        training.method,
        stream=stream,
        targets=training.targets,
        settings=settings,
        steps_per_epoch=training.steps_per_epoch
        or steps_for(len(training.rows), settings.batch_size),
        folder=folder,
        score=scorer(prepared, training.select),
        progress=listen,
        task=prepared.images.task,
    )


def scorer(prepared: Prepared, rows: Sequence[int]) -> Callable[[Network], Mapping[str, float]]:
    """A validator for the loop: scores on un-augmented images of ``rows``; none without rows."""
    labels = prepared.labels[list(rows)]

    def score(network: Network) -> Mapping[str, float]:
        if not rows:
            return {}
        if prepared.masks is not None:
            return mask_scores(network, prepared, rows)
        return selection_scores(labels, predict_rows(network, prepared, rows), prepared.images.task)

    return score
