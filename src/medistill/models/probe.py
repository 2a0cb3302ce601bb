"""A linear probe: a backbone that keeps its weights, and one linear layer on all its stages.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", ICLR 2017
workshop. With a few hundred images, fine-tuning millions of published weights can lose against
one linear layer on what they say already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.models.network import Network, feature_shapes
from medistill.models.outputs import Outputs


class StageProbe(nn.Module):
    """Logits from the means of all stages, standardised, through one linear layer.

    Features that ``want`` may name: the body's; ``pooled`` is the standardised (B, D) of all
    stages beside each other, fine to coarse.

    Args:
        body: a backbone with ``stage{i}`` maps, or ``tokens.{i}``.
        widths: width of each stage by feature name, fine to coarse.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.body, self.stages = body, tuple(widths)
        self.channels: int = body.channels  # type: ignore[assignment]
        self.classes: int = body.classes  # type: ignore[assignment]
        width = sum(widths.values())
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.head = nn.Linear(width, self.classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def feature_names(self) -> frozenset[str]:
        """Those of the body."""
        names: frozenset[str] = self.body.feature_names  # type: ignore[assignment]
        return names

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits and wanted features of normalised images (B, C, S, S)."""
        return self._say(*self._read(x, want), want)

    def stage_means(self, x: Tensor) -> Tensor:
        """(B, D) means of all stages of normalised images, before they are standardised."""
        return self._read(x, frozenset())[1]

    def _say(self, features: Mapping[str, Tensor], means: Tensor, want: frozenset[str]) -> Outputs:
        pooled = (means - self.mean) / self.std
        found = {**features, "pooled": pooled}
        return Outputs(self.head(pooled), {name: found[name] for name in want})

    def answers_of(
        self, probes: Sequence[StageProbe], x: Tensor, want: frozenset[str]
    ) -> list[Outputs]:
        """What each of several probes says, whose bodies are this one's: the body is asked once."""
        features, means = self._read(x, want)
        return [probe._say(features, means, want) for probe in probes]

    def _read(self, x: Tensor, want: frozenset[str]) -> tuple[Mapping[str, Tensor], Tensor]:
        features = self.body(x, (want - {"pooled"}) | set(self.stages)).features
        return features, torch.cat([_mean(features[name]) for name in self.stages], dim=1)


def probed(network: Network) -> Network:
    """The same network, answering through a probe; its weights are shared, not copied.

    Raises:
        RecipeError: the backbone has neither stages nor tokens.
    """
    names = [name for name in network.feature_names if name.startswith("stage")]
    names = names or [name for name in network.feature_names if name.startswith("tokens.")]
    if not names:
        raise RecipeError(
            where="teacher.probe",
            what="this model shows no stages to put a linear layer on",
            cure="Choose another teacher, for example tf_efficientnet_lite0, or remove probe.",
        )
    shapes = feature_shapes(network, frozenset(names))
    ordered = sorted(names, key=_number)
    widths = {name: shapes[name][-1 if name.startswith("tokens.") else 0] for name in ordered}
    return Network(StageProbe(network.backbone, widths), network.preprocessing)


def _mean(feature: Tensor) -> Tensor:
    """(B, C, H, W) over its places, (B, N, D) over its tokens."""
    return feature.mean(dim=(2, 3)) if feature.dim() == 4 else feature.mean(dim=1)


def _number(name: str) -> int:
    return int(name.removeprefix("stage").removeprefix("tokens."))
