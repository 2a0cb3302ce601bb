"""Batches made ready for a step: smoothed, mixed, with targets."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.teacher.targets import Targets
from medistill.train.mixing import draw_mix, mix_batch, smooth_labels
from medistill.train.settings import TrainSettings


class Stream(Protocol):
    """An endless sequence of batches; the one at step t is a pure function of t."""

    def batches(self, start_step: int, stop_step: int) -> Iterator[Batch]:
        """The batches of steps ``start_step`` up to ``stop_step`` - 1, in order."""
        ...


class Lesson:
    """A batch and its targets.

    Not a dataclass on purpose: bf16 autocast of Lightning Fabric rounds every tensor that it
    finds in a forward pass' arguments, labels and targets included. It does not look in here.
    """

    __slots__ = ("batch", "targets")

    def __init__(self, batch: Batch, targets: Mapping[str, Tensor]) -> None:
        self.batch, self.targets = batch, targets


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Where lessons come from.

    Attributes:
        stream: batches by step.
        targets: what the teacher says of a batch, or None.
        settings: smoothing and mixing.
        task: what the labels are.
        device: where they go.
    """

    stream: Stream
    targets: Targets | None
    settings: TrainSettings
    task: Task
    device: torch.device

    def example(self) -> Batch:
        """The first batch, as it comes."""
        return next(self.stream.batches(0, 1)).to(self.device)

    def between(self, start_step: int, stop_step: int) -> Generator[Lesson, None, None]:
        """The lessons of steps ``start_step`` up to ``stop_step`` - 1, in order."""
        batches = self.stream.batches(start_step, stop_step)
        for step, batch in enumerate(batches, start=start_step):
            yield self._lesson(batch, step)

    @torch.no_grad()
    def _lesson(self, batch: Batch, step: int) -> Lesson:
        settings = self.settings
        batch = batch.to(self.device, non_blocking=True)
        labels = smooth_labels(batch.labels, settings.label_smoothing, task=self.task)
        batch = replace(batch, labels=labels)
        if settings.mixes:
            batch = mix_batch(batch, draw_mix(settings, step, len(batch)))
        return Lesson(batch, self.targets.get(batch) if self.targets else {})
