"""How an operating point was chosen, and the score that it cuts. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Literal["sensitivity", "specificity", "youden", "cost"]


@dataclass(frozen=True, kw_only=True)
class ThresholdChoice:
    """How the thresholds of a graph came about; the thresholds themselves stand beside it.

    Attributes:
        rule: ``sensitivity`` or ``specificity`` (the largest or smallest threshold that keeps
            what was wished), ``youden`` (largest sensitivity + specificity - 1; Youden 1950,
            Cancer 3:32), ``cost`` (smallest expected cost).
        wished: sensitivity or specificity in (0, 1), or how many false alarms a miss costs;
            None for Youden.
        positive: class that the rule is about; None for multi-label, where each has its own.
        images: how many chose, from the part *calibrate*.
        groups: how many groups they belong to.
    """

    rule: Rule
    wished: float | None
    positive: str | None
    images: int
    groups: int


def positive_score(chances: Array, positive: int) -> Array:
    """Score of one class whose threshold t stands for the thresholds t and 1 - t of ``decide``.

    p / (p + the largest of the others), which is p itself for two classes: the class is decided
    on exactly where the score is at least t (above t for a class that is not the first of equals).

    Args:
        chances: (N, K) probabilities.
        positive: column of the class.

    Returns:
        (N,) in [0, 1].
    """
    own = chances[:, positive]
    other = np.delete(chances, positive, axis=1).max(axis=1)
    both = own + other
    score: Array = np.divide(own, both, out=np.full_like(own, 0.5), where=both > 0)
    return score
