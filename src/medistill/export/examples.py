"""What the gate judges variants with, and what it holds them against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.bundle.engine import Engine
from medistill.bundle.trial import MetricChange
from medistill.core.types import Task

Array = NDArray[np.float64]
Images = NDArray[np.float32]
Run = Callable[[Images], Mapping[str, Array]]


class Decided(Protocol):
    """What is fitted on one model's own outputs."""

    @property
    def calibration(self) -> Calibration:
        """Temperatures."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Operating point."""

    @property
    def decisions(self) -> Decisions:
        """Prediction sets and trust gate."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What the gate judges with.

    Attributes:
        task: what the labels are.
        classes: names in the order of the logits.
        images: (N, C, S, S) of the part *calibrate*.
        labels: class numbers (N,), or (N, S, S) for masks; (N, K) of 0, 1, NaN for multi-label.
        quantise: (M, C, S, S) of the part *fit*: what the ranges of INT8 are taken from.
        control: (L, C, S, S) of the part *select*: what NNCF searches on.
        decide: fits temperature, thresholds and the rest to a model.
        compare: the task's metric of the second minus the first table of probabilities.
    """

    task: Task
    classes: tuple[str, ...]
    images: Images
    labels: NDArray[np.generic]
    quantise: Images
    control: Images
    decide: Callable[[Run], Decided]
    compare: Callable[[Array, Array], MetricChange | None]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The trained network and its float32 graph, which variants are held against.

    Attributes:
        logits: of the network on the calibration images.
        decided: fitted on the network.
        engines: the float32 graph, by number of threads.
    """

    logits: Array
    decided: Decided
    engines: Mapping[int, Engine]
