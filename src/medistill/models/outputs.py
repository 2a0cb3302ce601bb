"""What every model returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Outputs(NamedTuple):
    """A model's answer to one batch.

    A named tuple, so that ``torch.compile``, ``torch.export`` and DDP look through it.

    Attributes:
        logits: (B, K) unnormalised class scores.
        features: the intermediates that the caller asked for, by name; empty unless asked.
    """

    logits: Tensor
    features: dict[str, Tensor]
