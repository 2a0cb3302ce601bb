"""Four images of two classes, and what the gate judges a variant with on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.export.examples import Examples

LOGITS = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])


@dataclasses.dataclass(frozen=True)
class Plain:
    """Nothing was fitted."""

    calibration: Calibration = Calibration()
    thresholds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    decisions: Decisions = Decisions()


def examples(labels: object) -> Examples:
    """Blank images with these labels."""
    return Examples(
        task="single-label",
        classes=("ill", "well"),
        images=np.zeros((4, 1, 2, 2), np.float32),
        labels=np.array(labels),
        quantise=np.zeros((1, 1, 2, 2), np.float32),
        control=np.zeros((1, 1, 2, 2), np.float32),
        decide=lambda run: Plain(),
        compare=lambda first, second: None,
    )
