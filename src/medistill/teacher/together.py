"""All members of a teacher as one: their mean, and the network that costs what all of them cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from medistill.core.types import Task
from medistill.models.outputs import Outputs
from medistill.models.probe import StageProbe


class Together(nn.Module):
    """Backbones as one, whose logits are the mean of theirs; it has no features.

    Probes of one body ask it once.

    Args:
        backbones: of the members; at least one.
        task: decides what a probability is.
    """

    def __init__(self, backbones: Sequence[nn.Module], *, task: Task) -> None:
        super().__init__()
        self.backbones, self.task = nn.ModuleList(backbones), task
        self.channels: int = backbones[0].channels  # type: ignore[assignment]
        self.classes: int = backbones[0].classes  # type: ignore[assignment]

    @property
    def feature_names(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Mean logits of normalised images (B, C, S, S)."""
        if probes := with_one_body(list(self.backbones)):
            said = probes[0].answers_of(probes, x, want)
        else:
            said = [backbone(x, want) for backbone in self.backbones]
        return Outputs(mean_logits([each.logits for each in said], self.task), {})


def with_one_body(backbones: Sequence[nn.Module]) -> list[StageProbe]:
    """The backbones, where all of them are probes of one and the same body; else none."""
    probes = [each for each in backbones if isinstance(each, StageProbe)]
    same = len(probes) == len(backbones) and len({id(probe.body) for probe in probes}) == 1
    return probes if same else []


def mean_logits(values: Sequence[Tensor], task: Task) -> Tensor:
    """Logarithm of the members' mean probability; the logits themselves of a single member.

    Args:
        values: logits of each member, (B, K) or (B, K, S, S).
        task: softmax over classes, or a sigmoid for each label.
    """
    if len(values) == 1:
        return values[0]
    stacked = torch.stack(list(values))
    if task == "multi-label":
        chances, others = functional.logsigmoid(stacked), functional.logsigmoid(-stacked)
        return _log_mean(chances) - _log_mean(others)
    return _log_mean(functional.log_softmax(stacked, dim=2))


def _log_mean(logarithms: Tensor) -> Tensor:
    """Logarithm of the mean over the first axis of what these are the logarithms of."""
    return torch.logsumexp(logarithms, dim=0) - math.log(len(logarithms))
