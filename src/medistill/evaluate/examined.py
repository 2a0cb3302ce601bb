"""A model as it would be used: asked about *evaluate*, with what was fitted on *calibrate*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medistill.bundle.calibration import Calibration, probabilities
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.decisions import Answers, Fitted


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """One model of one fold.

    Attributes:
        fitted: what decides, from *calibrate*.
        calibrate: answers there.
        evaluate: answers on *evaluate*.
    """

    fitted: Fitted
    calibrate: Answers
    evaluate: Answers

    def chances(self, *, task: Task, calibrated: bool = True, part: str = "evaluate") -> Floats:
        """Probabilities of a part's images, with or without the temperature."""
        asked = self.evaluate if part == "evaluate" else self.calibrate
        calibration = self.fitted.calibration if calibrated else Calibration()
        return probabilities(asked.logits, task=task, calibration=calibration)


def labels_of(folds: Sequence[Examined]) -> np.ndarray:
    """Labels of *evaluate* of all folds."""
    return np.concatenate([fold.evaluate.labels for fold in folds])


def groups_of(folds: Sequence[Examined]) -> list[str]:
    """Groups of *evaluate* of all folds."""
    return [group for fold in folds for group in fold.evaluate.groups]
