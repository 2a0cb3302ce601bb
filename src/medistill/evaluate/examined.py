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
        calibrate: answers there; None for a bundle, which ships what was fitted there alone.
        evaluate: answers on *evaluate*.
    """

    fitted: Fitted
    calibrate: Answers | None
    evaluate: Answers

    def chances(
        self, asked: Answers | None = None, *, task: Task, calibrated: bool = True
    ) -> Floats:
        """Probabilities of answers, on *evaluate* unless named, calibrated or not."""
        calibration = self.fitted.calibration if calibrated else Calibration()
        logits = (asked or self.evaluate).logits
        return probabilities(logits, task=task, calibration=calibration)


def labels_of(folds: Sequence[Examined]) -> np.ndarray:
    """Labels of *evaluate* of all folds."""
    return np.concatenate([fold.evaluate.labels for fold in folds])


def groups_of(folds: Sequence[Examined]) -> list[str]:
    """Groups of *evaluate* of all folds."""
    return [group for fold in folds for group in fold.evaluate.groups]
