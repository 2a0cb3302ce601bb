"""Batches made ready for a step: smoothed, mixed, shared among processes, with targets."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.teacher.targets import Targets
from medistill.train.mixing import draw_mix, mix_batch, smooth_labels
from medistill.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


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
        fabric: device, and which of several processes this is.
    """

    stream: Stream
    targets: Targets | None
    settings: TrainSettings
    task: Task
    fabric: Fabric

    def refuse_uneven(self, smallest: int = 1) -> None:
        """Refuse a batch that several processes cannot share evenly, or of too small shares.

        Args:
            smallest: images that a share needs at least, since a method compares them.

        Raises:
            RecipeError: their gradients would not average to the batch's, or there is nothing to
                compare.
        """
        processes = self.fabric.world_size
        if self.settings.batch_size % processes:
            raise RecipeError(
                where="train.batch_size",
                what=f"{self.settings.batch_size} cannot be shared by {processes} processes",
                cure=f"Give a multiple of {processes}.",
            )
        share = self.settings.batch_size // processes
        if processes > 1 and share < smallest:
            raise RecipeError(
                where="train.batch_size",
                what=f"each of {processes} processes sees {share} of {self.settings.batch_size} "
                f"images, and this method compares {smallest} or more",
                cure=f"Give at least {processes * smallest}, better {processes * 32}.",
            )

    def example(self) -> Batch:
        """The first batch, as it comes."""
        return next(self.stream.batches(0, 1)).to(self.fabric.device)

    def between(self, start_step: int, stop_step: int) -> Generator[Lesson, None, None]:
        """The lessons of steps ``start_step`` up to ``stop_step`` - 1, in order.

        Mixing comes before sharing, so that any number of processes sees the same mixed images.
        """
        batches = self.stream.batches(start_step, stop_step)
        for step, batch in enumerate(batches, start=start_step):
            yield self._lesson(batch, step)

    @torch.no_grad()
    def _lesson(self, batch: Batch, step: int) -> Lesson:
        fabric, settings = self.fabric, self.settings
        batch = batch.to(fabric.device, non_blocking=True)
        labels = smooth_labels(batch.labels, settings.label_smoothing, task=self.task)
        batch = replace(batch, labels=labels)
        if settings.mixes:
            batch = mix_batch(batch, draw_mix(settings, step, len(batch)))
        batch = share_of(batch, fabric.global_rank, fabric.world_size)
        return Lesson(batch, self.targets.get(batch) if self.targets else {})


def share_of(batch: Batch, rank: int, processes: int) -> Batch:
    """The rows of a batch that one of several processes trains on; all of them for one."""
    if processes == 1:
        return batch
    size = len(batch) // processes
    part = slice(rank * size, (rank + 1) * size)
    teacher = batch.teacher_images
    return replace(
        batch,
        index=batch.index[part],
        view=batch.view[part],
        hashes=batch.hashes[part],
        images=batch.images[part],
        teacher_images=None if teacher is None else teacher[part],
        labels=batch.labels[part],
        masks=None if batch.masks is None else batch.masks[part],
    )
