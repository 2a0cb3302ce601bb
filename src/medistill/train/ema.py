"""A moving average of the weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

NetworkT = TypeVar("NetworkT", bound=nn.Module)

# An average that remembers longer than this share of training drags its initial weights along.
_LONGEST_HALF_LIFE = 0.1


def longest_decay(total_steps: int) -> float:
    """The decay whose half-life is a tenth of the training: d ** (total_steps / 10) = 1/2."""
    return float(0.5 ** (1.0 / (_LONGEST_HALF_LIFE * total_steps)))


class Ema(Generic[NetworkT]):
    """A copy of a network whose parameters and buffers follow the trained ones slowly.

    The decay of step t (from 0) is min(d, (1 + t) / (10 + t)), the warm-up of TensorFlow's
    ExponentialMovingAverage, where d is at most ``longest_decay``. Integer buffers (BatchNorm's
    counter) are copied.

    Args:
        network: the network to follow; copied, never changed.
        decay: highest decay, in [0, 1).
        total_steps: length of the training.

    Attributes:
        network: the averaged network, in eval mode and without gradients.
    """

    def __init__(self, network: NetworkT, *, decay: float, total_steps: int) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._highest = min(decay, longest_decay(total_steps))
        self._averages, self._sources = _paired(self.network, network, floating=True)
        self._copies, self._originals = _paired(self.network, network, floating=False)

    def decay(self, step: int) -> float:
        """Decay of a step, counted from 0."""
        return min(self._highest, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights as they are after ``step``."""
        torch._foreach_lerp_(self._averages, self._sources, 1.0 - self.decay(step))
        for mine, theirs in zip(self._copies, self._originals, strict=True):
            mine.copy_(theirs)


def _paired(
    average: nn.Module, source: nn.Module, *, floating: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors of both networks in the same order, floating or not; shared ones once."""
    theirs = _tensors(source)
    names = [name for name, value in theirs.items() if value.is_floating_point() == floating]
    mine = _tensors(average)
    return [mine[name] for name in names], [theirs[name] for name in names]


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    found = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach() for name, value in found}
