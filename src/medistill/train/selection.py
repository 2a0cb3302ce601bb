"""Which checkpoint is the best, by its scores on *select*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from medistill.train.settings import SelectBy

Which = Literal["raw", "ema"]


@dataclass(frozen=True)
class Best:
    """The best checkpoint so far.

    Attributes:
        epoch: from 1; 0 before the first.
        which: the trained weights or their moving average.
        scores: on *select*.
        weights: the backbone's state dict, on the CPU.
    """

    epoch: int
    which: Which
    scores: Mapping[str, float]
    weights: Mapping[str, Tensor]


def is_better(
    scores: Mapping[str, float], than: Mapping[str, float] | None, *, by: SelectBy
) -> bool:
    """Whether a checkpoint's scores are strictly better than another's.

    ``auroc`` and ``dice``: the higher one, ties by the lower loss. ``loss``: the lower one. NaN (an
    AUROC of one class) is worse than any number. ``last``: always. Anything is better than None.
    """
    return than is None or by == "last" or _rank(scores, by) > _rank(than, by)


def _rank(scores: Mapping[str, float], by: SelectBy) -> tuple[float, ...]:
    values = (-scores["loss"],) if by == "loss" else (scores[by], -scores["loss"])
    return tuple(-math.inf if math.isnan(value) else value for value in values)
