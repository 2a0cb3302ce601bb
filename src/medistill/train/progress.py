"""What a training tells while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """Where training stands after a step.

    Attributes:
        epoch: the epoch under way, from 1.
        epochs: epochs planned; early stop may end before.
        step: steps done, those before a resume included.
        steps: steps planned.
        loss: newest loss that is known, or None before the first.
        seconds: since this process began to train.
        eta_seconds: what the rest will take at this process' pace, validation included.
        images_per_second: this process' pace.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float | None
    seconds: float
    eta_seconds: float
    images_per_second: float


class Progress(Protocol):
    """Whoever wants to know."""

    def __call__(self, event: ProgressEvent) -> None:
        """Called after every step; should return quickly."""


def silent(event: ProgressEvent) -> None:
    """Tell nobody."""


class Pace:
    """Turns steps into events.

    Args:
        epochs: epochs planned.
        steps_per_epoch: steps an epoch.
    """

    def __init__(self, *, epochs: int, steps_per_epoch: int) -> None:
        self._epochs, self._per_epoch = epochs, steps_per_epoch
        self._start = time.perf_counter()
        self._done = self._images = 0

    def event(self, step: int, *, images: int, loss: float | None) -> ProgressEvent:
        """The event after step number ``step``, counted from 0, on so many images."""
        self._done, self._images = self._done + 1, self._images + images
        seconds = time.perf_counter() - self._start
        total = self._epochs * self._per_epoch
        return ProgressEvent(
            epoch=1 + step // self._per_epoch,
            epochs=self._epochs,
            step=step + 1,
            steps=total,
            loss=loss,
            seconds=seconds,
            eta_seconds=seconds / self._done * (total - step - 1),
            images_per_second=self._images / max(seconds, 1e-9),
        )
