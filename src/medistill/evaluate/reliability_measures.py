"""Calibration error in its several senses: of classes, labels that may be unknown, and pixels.

All take statements: what was stated as probable, and whether it happened.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.arrays import Floats
from medistill.evaluate.calibration import BINS
from medistill.evaluate.mask_confidence import UNKNOWN

SMALLEST = float(np.finfo(np.float64).eps)


def equal_width_error(stated: Floats, happened: Floats) -> float:
    """Expected calibration error over 15 bins of equal width (Guo et al. 2017), in [0, 1]."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    return _error(stated, happened, np.searchsorted(edges[1:-1], stated, side="right"))


def adaptive_error(stated: Floats, happened: Floats) -> float:
    """Over 15 bins that hold equally many (Nixon et al., CVPR workshops 2019, ACE), in [0, 1].

    Equal statements may lie on both sides of an edge; then their order decides.
    """
    rank = np.argsort(np.argsort(stated, kind="stable"), kind="stable")
    return _error(stated, happened, rank * BINS // max(1, stated.size))


def _error(stated: Floats, happened: Floats, number: np.ndarray) -> float:
    if not stated.size:
        return float("nan")
    gaps = np.bincount(number, happened - stated, minlength=BINS)
    return float(np.abs(gaps).sum() / stated.size)


def measures(
    chances: Floats, labels: np.ndarray, *, task: Task, classes: Sequence[str]
) -> dict[str, float | None | dict[str, float | None]]:
    """Calibration of probabilities (N, K, ...) against labels, as plain values without NaN.

    Args:
        chances: probabilities, classes on axis 1.
        labels: class numbers (N, ...); for multi-label (N, K) of 0, 1 and NaN where unknown.
        task: what the labels are; pixels of masks count one by one.
        classes: names in the order of axis 1.

    Returns:
        ``error`` and ``adaptive``: of the predicted class (two classes: of the second; labels:
        mean over labels). ``classwise``: mean over classes of the adaptive error of "it is this
        class" (Kull et al., NeurIPS 2019, but with equal masses). ``brier``: mean squared
        distance, halved sum over classes, mean over labels. ``log_loss``: nats.
        ``per_class``: adaptive error of each class.
    """
    if task == "segmentation":
        chances, labels = _pixels(chances, labels)
    each = [_column(chances, labels, column, task) for column in range(len(classes))]
    own = [adaptive_error(*pair) for pair in each]
    if task == "multi-label":
        top = each
    else:
        top = [each[1]] if len(classes) == 2 else [_top(chances, labels)]
    return {
        "error": _known(np.array([equal_width_error(*pair) for pair in top])),
        "adaptive": _known(np.array([adaptive_error(*pair) for pair in top])),
        "classwise": _known(np.array(own)),
        "brier": _brier(each, task),
        "log_loss": _log_loss(each, task),
        "per_class": {name: _known(np.array([v])) for name, v in zip(classes, own, strict=True)},
    }


def _pixels(chances: Floats, labels: np.ndarray) -> tuple[Floats, np.ndarray]:
    """Known pixels one by one: (M, K) and (M,)."""
    rows, flat = np.moveaxis(chances, 1, -1).reshape(-1, chances.shape[1]), labels.reshape(-1)
    return rows[flat != UNKNOWN], flat[flat != UNKNOWN]


def _column(chances: Floats, labels: np.ndarray, column: int, task: Task) -> tuple[Floats, Floats]:
    if task == "multi-label":
        known = np.isfinite(labels[:, column])
        return chances[known, column], labels[known, column].astype(np.float64)
    return chances[:, column].reshape(-1), (labels == column).astype(np.float64).reshape(-1)


def _top(chances: Floats, labels: np.ndarray) -> tuple[Floats, Floats]:
    hit = (chances.argmax(axis=1) == labels).astype(np.float64)
    return chances.max(axis=1).reshape(-1), hit.reshape(-1)


def _brier(each: Sequence[tuple[Floats, Floats]], task: Task) -> float | None:
    means = np.array([((p - y) ** 2).mean() if p.size else np.nan for p, y in each])
    return _known(means) if task == "multi-label" else float(means.sum() / 2)


def _log_loss(each: Sequence[tuple[Floats, Floats]], task: Task) -> float | None:
    logs = [-np.log(np.clip(p, SMALLEST, 1)) * y for p, y in each]
    if task != "multi-label":
        return float(np.sum(logs, axis=0).mean())
    rest = [-np.log(np.clip(1 - p, SMALLEST, 1)) * (1 - y) for p, y in each]
    means = [(a + b).mean() if a.size else np.nan for a, b in zip(logs, rest, strict=True)]
    return _known(np.array(means))


def _known(values: Floats) -> float | None:
    """Mean of what is defined; None where nothing is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else None
