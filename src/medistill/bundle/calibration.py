"""From logits to calibrated probabilities and labels, in numpy. Torch-free.

Evaluation and prediction share these few lines, so that a threshold chosen on one means the same
on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.core.types import Task

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How logits become probabilities that mean what they say.

    Attributes:
        temperature: what logits are divided by (Guo et al., "On Calibration of Modern Neural
            Networks", ICML 2017, equation 9); 1 leaves them as they are.
        labels: multi-label: one temperature a class in the order of the logits, which then count
            instead; empty where one temperature serves all.

    Raises:
        ValueError: a temperature is not positive.
    """

    temperature: float = 1.0
    labels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.temperature, *self.labels):
            if not value > 0:
                raise ValueError(f"temperature {value} is not positive")

    def divisor(self, dimensions: int) -> float | Array:
        """What logits of so many dimensions, classes on axis 1, are divided by."""
        if not self.labels:
            return self.temperature
        return np.array(self.labels).reshape(-1, *(1,) * (dimensions - 2))


def probabilities(
    logits: NDArray[np.floating], *, task: Task, calibration: Calibration | None = None
) -> Array:
    """Probabilities of the classes, in float64.

    Args:
        logits: (N, K) or (N, K, ...) for masks; axis 1 holds the classes.
        task: ``multi-label`` takes the logistic function class by class; the others a softmax.
        calibration: temperature, or one a label; None leaves the logits as they are.

    Returns:
        Array of the shape of ``logits``, in [0, 1].
    """
    scaled = logits.astype(np.float64) / (calibration or Calibration()).divisor(logits.ndim)
    if task == "multi-label":
        # By the sign, so that exp never overflows.
        small = np.exp(-np.abs(scaled))
        return np.where(scaled >= 0, 1 / (1 + small), small / (1 + small))
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    normalised: Array = raised / raised.sum(axis=1, keepdims=True)
    return normalised


def decide(
    chances: Array, *, task: Task, classes: Sequence[str], thresholds: Mapping[str, float]
) -> NDArray[np.bool_]:
    """Which classes hold at the operating point.

    Single-label: the class with the largest p / t. For two classes whose thresholds add up to 1
    this says "positive" exactly where p >= t; without thresholds it is the most probable class
    (the first of equals). Multi-label: every class with p >= t; t is 0.5 where none is given.

    Args:
        chances: (N, K) probabilities, or (N, K, ...) for masks.
        task: what the labels are; a mask is single-label at each pixel.
        classes: names in the order of axis 1.
        thresholds: by class name, in (0, 1); empty, or one for every class.

    Returns:
        Booleans of the shape of ``chances``; exactly one True along axis 1, but for multi-label.
    """
    column = (len(classes), *(1,) * (chances.ndim - 2))
    limits = np.array([thresholds.get(name, 0.5) for name in classes]).reshape(column)
    held: NDArray[np.bool_]
    if task == "multi-label":
        held = chances >= limits
        return held
    best = (chances / limits).argmax(axis=1)
    held = np.arange(len(classes)).reshape(column) == np.expand_dims(best, 1)
    return held
