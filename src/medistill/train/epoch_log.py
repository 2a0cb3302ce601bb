"""What one epoch's steps said, and the alarm when a term is no longer a number."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from medistill.core.errors import MedistillError
from medistill.train.settings import TrainSettings

# Reading a value from a GPU waits for it, so there the steps are read in groups of this many.
_STEPS_A_READING = 25


class TrainingDivergedError(MedistillError):
    """A term of the loss, or the gradient, became NaN or infinite."""


class EpochLog:
    """Collects terms, loss and gradient norm of an epoch's steps.

    Args:
        epoch: from 1.
        settings: the training's, for the cure in an alarm.
        checkpoint: where the finished epochs are kept, for the alarm.

    Attributes:
        newest_loss: of the last step that was read, or None.
    """

    def __init__(self, epoch: int, settings: TrainSettings, checkpoint: Path) -> None:
        self._epoch, self._settings, self._checkpoint = epoch, settings, checkpoint
        self._names: list[str] = []
        self._unread: list[Tensor] = []
        self._read: list[list[float]] = []
        self._steps: list[int] = []
        self._images = 0
        self._start = time.perf_counter()
        self.newest_loss: float | None = None

    def add(
        self, step: int, terms: Mapping[str, Tensor], loss: Tensor, norm: Tensor, *, images: int
    ) -> None:
        """Note a step, counted from 0, on so many images.

        Raises:
            TrainingDivergedError: this step, or on a GPU one a little earlier, is not finite.
        """
        self._names = ["loss", *(f"term.{name}" for name in terms), "grad_norm"]
        values = [value.detach().float() for value in (loss, *terms.values(), norm)]
        self._unread.append(torch.stack(values))
        self._steps.append(step)
        self._images += images
        if loss.device.type == "cpu" or len(self._unread) >= _STEPS_A_READING:
            self._drain()

    def row(self) -> dict[str, float]:
        """Means over the epoch, and its pace: the part of a history row that steps fill."""
        self._drain()
        seconds = time.perf_counter() - self._start
        columns = zip(*self._read, strict=True)
        means = {
            name: math.fsum(column) / len(column)
            for name, column in zip(self._names, columns, strict=True)
        }
        return {**means, "seconds": seconds, "images_per_second": self._images / seconds}

    def _drain(self) -> None:
        if not self._unread:
            return
        rows = torch.stack(self._unread).tolist()
        steps = self._steps[len(self._read) :]
        for step, row in zip(steps, rows, strict=True):
            # The sum of the terms comes last, since it cannot say which of them is at fault.
            for name, value in zip([*self._names[1:], "loss"], [*row[1:], row[0]], strict=True):
                if not math.isfinite(value):
                    raise self._alarm(step, name, value)
        self._read += rows
        self._unread = []
        self.newest_loss = rows[-1][0]

    def _alarm(self, step: int, name: str, value: float) -> TrainingDivergedError:
        settings = self._settings
        kept = "no epoch was finished before"
        if self._epoch > 1:
            kept = f"{self._checkpoint} still holds epoch {self._epoch - 1}"
        return TrainingDivergedError(
            where=f"training, epoch {self._epoch}, step {step}",
            what=f"{name} became {value}; {kept}",
            cure=f"Start anew with a lower train.lr (now {settings.lr:g}) or train.clip_norm "
            f"(now {settings.clip_norm if settings.clip_norm is not None else 'null'}).",
        )
