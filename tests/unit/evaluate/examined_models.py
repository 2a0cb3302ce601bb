"""Models as they would be used, drawn at random."""

from __future__ import annotations

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.decisions import Answers, Rules, fit_decisions
from medistill.evaluate.examined import Examined


def answers(count: int, seed: int, *, task: Task = "single-label", skill: float = 2.0) -> Answers:
    """Overconfident answers about images of one group each, with features."""
    random = np.random.default_rng(seed)
    if task == "segmentation":
        masks = random.integers(0, 2, size=(count, 6, 6))
        logits = random.normal(size=(count, 2, 6, 6)) + np.moveaxis(np.eye(2)[masks], -1, 1)
        return Answers(
            logits=3 * logits, labels=masks, groups=[f"{seed}-{n}" for n in range(count)]
        )
    flags = random.random((count, 2)) < 0.4
    labels = flags.astype(float) if task == "multi-label" else flags[:, 1].astype(np.int64)
    spread = random.normal(size=(count, 2)) + skill * (flags - 0.5)
    if task == "single-label":
        spread[:, 0] = 0
    return Answers(
        logits=3 * spread,
        labels=labels,
        groups=[f"{seed}-{n}" for n in range(count)],
        features=random.normal(size=(count, 5)),
    )


def examined(
    *, task: Task = "single-label", count: int = 200, skill: float = 2.0, rules: Rules | None = None
) -> Examined:
    """A model fitted on ``count`` images and asked about 300."""
    calibrate = answers(count, 1, task=task, skill=skill)
    known = answers(200, 2, task=task, skill=skill)
    fitted = fit_decisions(
        calibrate, task=task, classes=["well", "ill"], rules=rules or Rules(), known=known
    )
    evaluate = answers(300, 3, task=task, skill=skill)
    return Examined(fitted=fitted, calibrate=calibrate, evaluate=evaluate)
