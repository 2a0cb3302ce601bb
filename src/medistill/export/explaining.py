"""The graph that shows where a student looked: its attention, or its class activation maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.timm_bridge import TimmModel

ACTIVATION = "class-activation"
# Largest difference of a logit between the head and the mean of its activation maps.
_CLOSE = 1e-3


class ActivationBackbone(nn.Module):
    """A network of convolutions whose one feature is its classifier applied to every region.

    Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016: where the
    head averages the last maps and applies one linear layer, the mean of these maps over the
    regions is the logit without its bias.

    Args:
        inner: a timm model.
    """

    def __init__(self, inner: TimmModel) -> None:
        super().__init__()
        self.inner = inner
        self.channels, self.classes = inner.channels, inner.classes

    @property
    def feature_names(self) -> frozenset[str]:
        """The one feature."""
        return frozenset({ACTIVATION})

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits (B, K), and the maps (B, K, R, C) where they are wanted."""
        model: Any = self.inner.model
        last = model.forward_features(x)
        maps = torch.einsum("bdhw,kd->bkhw", last, model.get_classifier().weight)
        return Outputs(model.forward_head(last), {ACTIVATION: maps} if want else {})


def explaining(network: Network) -> tuple[Network, Mapping[str, str]] | None:
    """What to export so that a bundle can explain: a network and its further outputs.

    Args:
        network: the student.

    Returns:
        A network with the same logits, and output name -> feature; None where neither attention
        nor exact class activation maps can be had, as for masks.
    """
    attention = sorted(name for name in network.feature_names if name.startswith("attention."))
    if attention:
        return network, {name: name for name in attention}
    if not isinstance(network.backbone, TimmModel):
        return None
    wrapped = Network(ActivationBackbone(network.backbone), network.preprocessing).eval()
    wrapped.to(network.mean.device)
    return (wrapped, {ACTIVATION: ACTIVATION}) if _adds_up(wrapped) else None


def _adds_up(network: Network) -> bool:
    """Whether the maps are the logits, region by region; seen on noise, where nothing cancels."""
    images = torch.rand((2, *network.input_shape), generator=torch.Generator().manual_seed(0))
    model: Any = cast(ActivationBackbone, network.backbone).inner.model
    try:
        with torch.inference_mode():
            weight = next(network.parameters())
            outputs = network(images.to(weight.device, weight.dtype), frozenset({ACTIVATION}))
            bias = model.get_classifier().bias
            found = outputs.features[ACTIVATION].mean((2, 3)) + (0 if bias is None else bias)
    except (AttributeError, RuntimeError, ValueError):  # another kind of head
        return False
    return bool((found - outputs.logits).abs().max() <= _CLOSE)
