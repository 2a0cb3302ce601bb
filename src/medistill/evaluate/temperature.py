"""Fits the temperature, of a model or of each label, on the part *calibrate*.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2: the temperature
that minimises the negative log-likelihood. It never changes which class is the most probable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from medistill.bundle.calibration import Calibration
from medistill.core.counting import plural
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.intervals import FEWEST_GROUPS
from medistill.evaluate.mask_confidence import UNKNOWN
from medistill.evaluate.one_per_group import groups_among
from medistill.evaluate.operating import too_few

RANGE = (0.05, 20.0)
MOST_PIXELS = 200_000


def fit_calibration(
    logits: Floats,
    labels: NDArray[np.generic],
    groups: Sequence[str],
    *,
    task: Task,
    classes: Sequence[str],
    word: str = "group",
) -> tuple[Calibration, dict[str, str]]:
    """The temperature, or one a label, and why any of them was left at 1.

    Left at 1 are models with fewer than ten groups (labels: than ten with and ten without it, as
    for a threshold), with a class that no image has, without a single mistake (no finite
    temperature is best), or whose best temperature lies outside 0.05 to 20.

    Args:
        logits: (N, K), or (N, K, H, W) for masks.
        labels: class numbers (N,), or (N, H, W) for masks; for multi-label (N, K) of 0, 1 and
            NaN where unknown.
        groups: group of each image, length N.
        task: what the labels are. Of masks 200,000 pixels are drawn.
        classes: names in the order of the logits.
        word: what a group is called.

    Returns:
        The calibration, and reasons by ``calibration`` or ``calibration.<class>``.
    """
    if task == "multi-label":
        return _fit_labels(logits, np.asarray(labels, np.float64), groups, classes, word)
    truth = np.asarray(labels, np.int64)
    reason = _too_few(groups_among(groups, np.arange(len(groups))), word)
    if reason is None:
        rows, truth = _pixels(logits, truth) if task == "segmentation" else (logits, truth)
        temperature, reason = _fit_classes(rows, truth, classes)
    if reason is not None:
        return Calibration(), {"calibration": reason}
    return Calibration(temperature=temperature), {}


def _fit_classes(logits: Floats, truth: Ints, classes: Sequence[str]) -> tuple[float, str | None]:
    absent = sorted(set(range(len(classes))) - set(truth.tolist()))
    if absent:
        return 1.0, f"no image is of the class '{classes[absent[0]]}'"
    if (logits.argmax(axis=1) == truth).all():
        return 1.0, "the model makes no mistake to learn from"
    own = logits[np.arange(truth.size), truth]
    return _best(lambda t: float((logsumexp(logits / t, axis=1) - own / t).mean()))


def _fit_labels(
    logits: Floats, labels: Floats, groups: Sequence[str], classes: Sequence[str], word: str
) -> tuple[Calibration, dict[str, str]]:
    temperatures, reasons = [], {}
    for column, name in enumerate(classes):
        rows = np.flatnonzero(np.isfinite(labels[:, column]))
        present, own = labels[rows, column] > 0.5, [groups[row] for row in rows.tolist()]
        temperature, reason = 1.0, too_few(present, own, word)
        if reason is None:
            temperature, reason = _fit_label(logits[rows, column], present)
        if reason is not None:
            reasons[f"calibration.{name}"] = reason
        temperatures.append(temperature)
    return Calibration(labels=tuple(temperatures)), reasons


def _fit_label(logits: Floats, present: NDArray[np.bool_]) -> tuple[float, str | None]:
    if ((logits > 0) == present).all():
        return 1.0, "the model makes no mistake to learn from"
    away = np.where(present, -logits, logits)
    return _best(lambda t: float(np.logaddexp(0, away / t).mean()))


def _best(loss: Callable[[float], float]) -> tuple[float, str | None]:
    low, high = np.log(RANGE)
    found = minimize_scalar(
        lambda log_t: loss(float(np.exp(log_t))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    if min(found.x - low, high - found.x) < 1e-3:
        return 1.0, f"no temperature from {RANGE[0]:g} to {RANGE[1]:g} is best"
    return float(np.exp(found.x)), None


def _pixels(logits: Floats, truth: Ints) -> tuple[Floats, Ints]:
    """Rows of single known pixels, shape (M, K), and their classes."""
    rows = np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1])
    flat = truth.reshape(-1)
    rows, flat = rows[flat != UNKNOWN], flat[flat != UNKNOWN]
    if flat.size <= MOST_PIXELS:
        return rows, flat
    random = np.random.Generator(np.random.Philox(key=0))
    chosen = random.choice(flat.size, MOST_PIXELS, replace=False)
    return rows[chosen], flat[chosen]


def _too_few(groups: int, word: str) -> str | None:
    return f"too few groups ({plural(word, groups)})" if groups < FEWEST_GROUPS else None
