"""Prediction sets that hold the truth as often as they promise, class by class. Torch-free.

Split conformal prediction with one quantile a class (Vovk, Gammerman and Shafer, "Algorithmic
Learning in a Random World", 2005, section 4.5): the score of class c is 1 - p_c, and c is in the
set of an image where its score is at most the quantile of c. Whatever the model, the set holds
the true class c in at least ``level`` of all images of c from groups like those that calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Conformal:
    """Quantiles of conformal prediction, fitted on calibrated probabilities.

    Attributes:
        level: promised coverage of each class, in (0, 1).
        quantiles: largest score, in [0, 1], at which a class stays in the set, by class name.
            Multi-label: at which "present" stays possible; a label that is missing here had too
            few groups, and both answers stay possible.
        absent: multi-label: the same for "absent", whose score is p; empty for single-label.
        groups: how many groups calibrated each quantile, by class name.
        absent_groups: the same for ``absent``.

    Raises:
        ValueError: a level or quantile is out of range, or the two sets of labels differ.
    """

    level: float
    quantiles: Mapping[str, float]
    absent: Mapping[str, float]
    groups: Mapping[str, int]
    absent_groups: Mapping[str, int]

    def __post_init__(self) -> None:
        values = [*self.quantiles.values(), *self.absent.values()]
        if not 0 < self.level < 1:
            raise ValueError(f"level {self.level} is not between 0 and 1")
        if not all(0 <= value <= 1 for value in values):
            raise ValueError("a conformal quantile is not in [0, 1]")
        if self.absent and set(self.absent) != set(self.quantiles):
            raise ValueError("'present' and 'absent' have quantiles for different labels")


def fewest_groups(level: float) -> int:
    """Groups of a class below which no quantile can promise ``level``: 9 for 90 %, 19 for 95 %.

    The quantile is the ceil((n + 1) level)-th smallest of n scores, which must exist.
    """
    return int(np.ceil(round(level / (1 - level), 9)))


def class_sets(chances: Array, conformal: Conformal, classes: tuple[str, ...]) -> Flags:
    """Single-label: which classes cannot be ruled out.

    Args:
        chances: (N, K) calibrated probabilities.
        conformal: quantiles of every class.
        classes: names in the order of the columns.

    Returns:
        (N, K) booleans; no class at all says that the image is like none that calibrated, several
        that the model cannot tell them apart at this level. Rows of NaN give empty sets.
    """
    limits = np.array([conformal.quantiles[name] for name in classes])
    held: Flags = 1 - chances <= limits
    return held


def label_sets(chances: Array, conformal: Conformal, classes: tuple[str, ...]) -> Flags:
    """Multi-label: whether each label may be present, and whether it may be absent.

    Args:
        chances: (N, K) calibrated probabilities.
        conformal: quantiles; a label without one may always be both.
        classes: names in the order of the columns.

    Returns:
        (N, K, 2) booleans: may be present, may be absent.
    """
    present = np.array([conformal.quantiles.get(name, 1.0) for name in classes])
    absent = np.array([conformal.absent.get(name, 1.0) for name in classes])
    held: Flags = np.stack([1 - chances <= present, chances <= absent], axis=-1)
    return held
