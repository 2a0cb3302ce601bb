"""Calibration error in its several senses: of classes, labels that may be unknown, and pixels.

All take statements: what was stated as probable, and whether it happened.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.calibration import BINS
from medistill.evaluate.label_metrics import brier_of, log_loss_of
from medistill.evaluate.mask_confidence import UNKNOWN
from medistill.evaluate.metrics import brier_of_each, log_loss_of_each
from medistill.evaluate.pixel_sums import pixel_sums


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
    chances: Floats,
    labels: np.ndarray,
    *,
    task: Task,
    classes: Sequence[str],
    counted: Sequence[int] | None = None,
    folds: Ints | None = None,
) -> dict[str, float | None | dict[str, float | None]]:
    """Calibration of probabilities (N, K, ...) against labels, as plain values without NaN.

    What has the name of a metric is that metric: of the same labels, over the same folds.

    Args:
        chances: probabilities, classes on axis 1.
        labels: class numbers (N, ...); for multi-label (N, K) of 0, 1 and NaN where unknown.
        task: what the labels are; pixels of masks count one by one.
        classes: names in the order of axis 1.
        counted: labels of multi-label that means are over; None for all.
        folds: fold of each image, (N,); None for one.

    Returns:
        ``error`` and ``adaptive``: of the predicted class (two classes: of the second; labels:
        mean over labels). ``classwise``: mean over classes of the adaptive error of "it is this
        class" (Kull et al., NeurIPS 2019, but with equal masses). ``brier``: see
        ``metrics.brier``; ``log_loss``: nats; both mean over labels, or over images of their
        pixels' mean, then over folds. ``per_class``: adaptive error of each class.
    """
    chosen = list(range(len(classes)) if counted is None else counted)
    brier, log_loss = _losses(chances, labels, task, chosen, folds)
    if task == "segmentation":
        chances, labels = _pixels(chances, labels)
    each = [_column(chances, labels, column, task) for column in range(len(classes))]
    own = np.array([adaptive_error(*pair) for pair in each])
    if task == "multi-label":
        top = [each[column] for column in chosen]
    else:
        one = len(classes) == 2 and task == "single-label"
        top = [each[1] if one else _top(chances, labels)]
    return {
        "error": _known(np.array([equal_width_error(*pair) for pair in top])),
        "adaptive": _known(np.array([adaptive_error(*pair) for pair in top])),
        "classwise": _known(own[chosen] if task == "multi-label" else own),
        "brier": brier,
        "log_loss": log_loss,
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


def _losses(
    chances: Floats, labels: np.ndarray, task: Task, counted: Sequence[int], folds: Ints | None
) -> tuple[float | None, float | None]:
    """Brier score and log loss, mean over folds; each None where a fold has none."""
    number = np.zeros(len(labels), dtype=np.int64) if folds is None else folds
    found = [
        _losses_of(chances[rows], labels[rows], task, list(counted))
        for rows in (np.flatnonzero(number == fold) for fold in np.unique(number))
    ]
    brier, log_loss = (None if np.isnan(v) else float(v) for v in np.mean(found, axis=0))
    return brier, log_loss


def _losses_of(
    chances: Floats, labels: np.ndarray, task: Task, counted: list[int]
) -> tuple[float, float]:
    if task == "multi-label":
        known, said, all_alike = labels[:, counted], chances[:, counted], np.ones(len(labels))
        means = [_known(of(known, said, all_alike)) for of in (brier_of, log_loss_of)]
        brier, log_loss = (np.nan if mean is None else mean for mean in means)
        return brier, log_loss
    if task == "segmentation":
        sums = np.array([pixel_sums(*pair) for pair in zip(chances, labels, strict=True)])
        labelled = sums[sums[:, :BINS].any(axis=1), -2:]
        brier, log_loss = labelled.mean(axis=0).tolist() if len(labelled) else (np.nan, np.nan)
        return brier, log_loss
    each = brier_of_each(labels, chances), log_loss_of_each(labels, chances)
    return float(each[0].mean()), float(each[1].mean())


def _known(values: Floats) -> float | None:
    """Mean of what is defined; None where nothing is."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else None
