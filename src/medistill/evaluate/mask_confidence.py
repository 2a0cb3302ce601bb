"""How sure a model is of a mask, pixel by pixel and as a whole, and whether that means anything.

Dimension key: N images, K classes (0 is the background), H W sides.
"""

from __future__ import annotations

import numpy as np

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.ranking import binary_auroc

UNKNOWN = 255


def entropy(chances: Floats) -> Floats:
    """Entropy of each pixel over its largest possible value, (N, H, W) in [0, 1].

    Args:
        chances: (N, K, H, W) probabilities.
    """
    logs = np.log(np.clip(chances, np.finfo(np.float64).tiny, 1.0))
    return np.asarray(-(chances * logs).sum(axis=1) / np.log(chances.shape[1]))


def foreground_dice(chances: Floats, labels: Ints) -> Floats:
    """Dice of the foreground as a whole, (N,); 1 where neither shows any.

    Args:
        chances: (N, K, H, W) probabilities.
        labels: (N, H, W) class indices; pixels of 255 do not count.
    """
    known = labels != UNKNOWN
    mine, true = (chances.argmax(axis=1) > 0) & known, (labels > 0) & known
    both = (mine & true).sum(axis=(1, 2))
    total = mine.sum(axis=(1, 2)) + true.sum(axis=(1, 2))
    dice: Floats = np.divide(2.0 * both, total, out=np.ones(len(labels)), where=total > 0)
    return dice


def expected_dice(chances: Floats) -> Floats:
    """The Dice that a model's own probabilities promise for its mask, (N,) in [0, 1].

    2 sum_m p / (sum p + |m|) with p the probability of the foreground and m the pixels that it
    calls foreground; of an empty mask the probability that its surest pixel is background.
    """
    foreground = 1 - chances[:, 0]
    called = chances.argmax(axis=1) > 0
    inside = (foreground * called).sum(axis=(1, 2))
    total = foreground.sum(axis=(1, 2)) + called.sum(axis=(1, 2))
    empty = ~called.any(axis=(1, 2))
    quality = np.divide(2 * inside, total, out=np.zeros(len(chances)), where=total > 0)
    return np.asarray(np.where(empty, 1 - foreground.max(axis=(1, 2)), quality))


def error_detection(chances: Floats, labels: Ints) -> Floats:
    """AUROC of the entropy for wrong pixels, of each image, (N,); NaN without wrong pixels.

    0.5 says that the map of uncertainty does not know where the mask is wrong.
    """
    unsure, wrong = entropy(chances), chances.argmax(axis=1) != labels
    found = []
    for heat, miss, truth in zip(unsure, wrong, labels, strict=True):
        known = truth != UNKNOWN
        found.append(float(binary_auroc(miss[known], heat[known])))
    return np.array(found)
