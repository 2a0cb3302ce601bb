"""Overlap of masks, image by image, so that groups can be resampled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.evaluate.arrays import Floats
from medistill.evaluate.intervals import Estimate
from medistill.evaluate.paired import sign_flip_p
from medistill.evaluate.shares import Clusters, mean

Masks = NDArray[np.bool_]


def dice_of_each(predicted: Masks, truth: Masks) -> Floats:
    """Dice coefficient of each image, 2 |A and B| / (|A| + |B|), in [0, 1].

    Args:
        predicted: (N, H, W).
        truth: (N, H, W).

    Returns:
        (N,); 1 where both are empty, since nothing was there and nothing was found.
    """
    axes = tuple(range(1, predicted.ndim))
    both = (predicted & truth).sum(axis=axes)
    total = predicted.sum(axis=axes) + truth.sum(axis=axes)
    dice: Floats = np.divide(2.0 * both, total, out=np.ones(len(predicted)), where=total > 0)
    return dice


def mean_dice(dice: Floats, drawn: Clusters) -> Estimate:
    """Mean over images with an interval that resamples groups; NaN (unlabelled) does not count."""
    return mean(dice, None, drawn)


def dice_difference(
    first: Floats, second: Floats, drawn: Clusters, *, flips: int = 10_000, seed: int = 0
) -> tuple[Estimate, float | None]:
    """Mean paired difference with interval, and its p-value by sign flips of groups.

    Args:
        first: Dice of one model, (N,).
        second: of the other on the same images, (N,).
        drawn: groups of the images.
        flips: number of random sign vectors.
        seed: of the signs.
    """
    gained = first - second
    known = np.isfinite(gained)
    if not known.any():
        return mean(gained, None, drawn, scale="difference"), None
    scores = np.bincount(drawn.index[known], gained[known])[:, None].astype(np.float64)
    p = float(sign_flip_p(scores, flips=flips, seed=seed)[0])
    return mean(gained, None, drawn, scale="difference"), p
