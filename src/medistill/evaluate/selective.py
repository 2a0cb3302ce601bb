"""Would it be right more often if it answered less often? Accuracy over coverage."""

from __future__ import annotations

from typing import Any

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.mask_confidence import expected_dice, foreground_dice
from medistill.evaluate.shares import Clusters, mean

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)
GRID = 50


def confidence_and_hits(
    chances: Floats, labels: np.ndarray, *, task: Task
) -> tuple[Floats, np.ndarray]:
    """How sure each answer is, and whether it is right; both (M,).

    Single-label: one answer an image, its largest probability. Multi-label: one answer a label
    and image, max(p, 1 - p); unknown labels are left out.
    """
    if task == "multi-label":
        known = np.isfinite(labels)
        sure = np.maximum(chances, 1 - chances)
        return sure[known], ((chances >= 0.5) == (labels == 1))[known]
    return chances.max(axis=1), chances.argmax(axis=1) == labels


def mask_confidence_and_dice(chances: Floats, labels: np.ndarray) -> tuple[Floats, Floats]:
    """How good each mask promises to be, and its Dice; both (N,)."""
    return expected_dice(chances), foreground_dice(chances, labels)


def risk_coverage_area(sure: Floats, right: np.ndarray) -> float:
    """Mean share of wrong answers over all coverages (Geifman et al., ICLR 2019, AURC), in [0, 1].

    Answers of equal confidence are let through together, each counting their mean risk.
    """
    order = np.argsort(-sure, kind="stable")
    wrong = _tied_means(sure[order], 1.0 - right[order])
    return float((np.cumsum(wrong) / np.arange(1, wrong.size + 1)).mean())


def selective_values(sure: Floats, right: np.ndarray, drawn: Clusters | None) -> dict[str, Any]:
    """Curve, area and some points with intervals, as plain values.

    Args:
        sure: (M,) confidence.
        right: (M,) booleans, or values in [0, 1] such as the Dice of masks.
        drawn: groups of the M answers; None leaves the intervals out.

    Returns:
        ``area`` (AURC); ``best_area``: of a model that knew its mistakes; ``coverage`` and
        ``accuracy``: the curve; ``points``: accuracy at some coverages with intervals, and the
        lowest confidence that is answered.
    """
    order = np.argsort(-sure, kind="stable")
    hits = 1 - _tied_means(sure[order], 1.0 - right[order])
    sizes = np.unique(np.linspace(1, hits.size, min(GRID, hits.size)).round().astype(int))
    running = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return {
        "area": risk_coverage_area(sure, right),
        "best_area": risk_coverage_area(right.astype(np.float64), right),
        "coverage": [round(float(n / hits.size), 4) for n in sizes],
        "accuracy": [round(float(running[n - 1]), 4) for n in sizes],
        "points": [] if drawn is None else [_point(sure, right, c, drawn) for c in COVERAGES],
    }


def _point(sure: Floats, right: np.ndarray, coverage: float, drawn: Clusters) -> dict[str, Any]:
    limit = float(np.quantile(sure, 1 - coverage, method="higher")) if coverage < 1 else 0.0
    answered = sure >= limit
    return {
        "coverage": float(answered.mean()),
        "confidence": limit,
        "accuracy": mean(right.astype(np.float64), answered, drawn).to_json(),
    }


def _tied_means(sure: Floats, values: Floats) -> Floats:
    """Values of runs of equal confidence replaced by the run's mean."""
    starts = np.flatnonzero(np.diff(sure, prepend=np.inf) != 0)
    lengths = np.diff(np.append(starts, sure.size))
    return np.asarray(np.repeat(np.add.reduceat(values, starts) / lengths, lengths))
