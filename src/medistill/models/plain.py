"""What a network has beyond the plain model that it grew from: nobody publishes weights for it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from medistill.models.local import LeFF, LocalFeedForward
from medistill.models.relative import RelativePositions
from medistill.models.shrinkage import Shrinkage
from medistill.models.timm_bridge import TimmModel

_LOCAL = (LeFF, LocalFeedForward)
_ADDED = (*_LOCAL, RelativePositions, Shrinkage)


def beyond_plain(
    backbone: nn.Module, given: Collection[str], own: Collection[str], notes: list[str]
) -> set[str]:
    """Names of what the plain model's weights lack, and of what they have in its place.

    The first are tensors of relative positions, local parts and shrinkage; the second those of the
    MLPs, and of the norms before them, in whose place local parts are.

    Args:
        backbone: a network's backbone.
        given: names of the weights.
        own: names of the backbone's tensors.
        notes: is told of both.
    """
    new = _added(backbone).difference(given)
    old = _replaced(backbone).intersection(given).difference(own)
    if new:
        notes.append(f"{len(new)} tensors of added parts left as initialised")
    if old:
        notes.append(f"{len(old)} tensors of what they replace left out")
    return {*new, *old}


def has_decoder(names: Collection[str]) -> bool:
    """Whether weights are those of a segmentation network, not of an encoder alone."""
    return any(name.endswith("classify.weight") for name in names)


def _added(backbone: nn.Module) -> frozenset[str]:
    root: Any = backbone.model if isinstance(backbone, TimmModel) else backbone
    return frozenset(
        f"{trail}.{name}"
        for trail, part in root.named_modules()
        if isinstance(part, _ADDED)
        for name in part.state_dict()
    )


def _replaced(backbone: nn.Module) -> frozenset[str]:
    found: set[str] = set()
    for trail, block in backbone.named_modules():
        local = getattr(block, "mlp", None)
        if isinstance(local, _LOCAL):
            gone = ("mlp.fc1", "mlp.fc2") if local.normed else ("mlp.fc1", "mlp.fc2", "norm2")
            found |= {f"{trail}.{part}.{kind}" for part in gone for kind in ("weight", "bias")}
    return frozenset(found)
