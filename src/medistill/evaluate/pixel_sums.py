"""What the pixels of one image add to the figures of calibration."""

from __future__ import annotations

import numpy as np

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.calibration import BINS, bin_of
from medistill.evaluate.metrics import brier_of_each, log_loss_of_each


def pixel_sums(chances: Floats, truth: Ints, *, unknown: int = 255) -> Floats:
    """Pixels, summed confidence and hits of 15 bins, then mean Brier score and log loss, (47,).

    Args:
        chances: (K, ...) calibrated probabilities of the classes, the background included.
        truth: (...) class indices; pixels of ``unknown`` do not count.
        unknown: value of pixels that nobody labelled.

    Returns:
        All zero where every pixel is unknown.
    """
    rows = np.moveaxis(chances, 0, -1).reshape(-1, len(chances))
    labels = truth.reshape(-1).astype(np.int64)
    rows, labels = rows[labels != unknown], labels[labels != unknown]
    if not labels.size:
        return np.zeros(3 * BINS + 2)
    stated, hits = rows.max(axis=1), (rows.argmax(axis=1) == labels).astype(np.float64)
    number = bin_of(stated)
    sums = [
        np.bincount(number, each, minlength=BINS) for each in (np.ones_like(hits), stated, hits)
    ]
    losses = [brier_of_each(labels, rows).mean(), log_loss_of_each(labels, rows).mean()]
    return np.concatenate([*sums, losses])
