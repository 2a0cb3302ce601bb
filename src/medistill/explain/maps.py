"""Maps of where a network looks, by whatever methods its architecture allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from medistill.core.errors import RecipeError
from medistill.explain.attention import recorded_attention
from medistill.explain.gradcam import grad_cam, token_grad_cam, unused_is_zero
from medistill.explain.rollout import attention_rollout, gradient_rollout
from medistill.models.network import Network
from medistill.models.probe import StageProbe

ROLLOUT, GRADIENT, CAM = "attention roll-out", "gradient roll-out", "Grad-CAM"


def map_names(network: Network) -> tuple[str, ...]:
    """Methods that a network allows, the one that follows the class best first."""
    return (GRADIENT, CAM, ROLLOUT) if _transformer(network) is not None else (CAM,)


def explain_batch(network: Network, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """Maps of images for one class each.

    Args:
        network: in eval mode on any device; its weights need no gradients.
        images: (B, C, S, S) in [0, 1] on any device; moved to the network's.
        classes: (B,) class numbers.

    Returns:
        For each of ``map_names`` a (B, S, S) map in [0, 1] on the processor, its largest value 1
        (all 0 where nothing raises the class), enlarged bilinearly.

    Raises:
        RecipeError: an architecture without blocks of tokens and without feature maps.
    """
    backbone, device = _transformer(network), network.mean.device
    with torch.enable_grad():
        asked, chosen = images.detach().clone().to(device).requires_grad_(), classes.to(device)
        found = (
            _of_cnn(network, asked, chosen)
            if backbone is None
            else _of_transformer(network, backbone, asked, chosen)
        )
    side = images.shape[-1]
    return {name: _enlarged(each.detach(), side).cpu() for name, each in found.items()}


def _of_transformer(
    network: Network, backbone: Any, images: Tensor, classes: Tensor
) -> dict[str, Tensor]:
    prefix, kept = int(backbone.num_prefix_tokens), list[Tensor]()
    hook = backbone.blocks[-1].norm1.register_forward_hook(_keep(kept))
    try:
        with recorded_attention() as fused:
            formed = _formed(network, backbone)
            # Unless its tokens are wanted, a last block forms the class token's attention alone.
            last = {f"tokens.{len(backbone.blocks) - 1}"} & network.feature_names
            outputs = network(images, frozenset(formed) | last)
    finally:
        hook.remove()
    chosen = _chosen(outputs.logits, classes)
    attentions = [outputs.features[name] for name in formed] or fused
    # A later attention than the last block's, for example of a pooling head, is left out.
    layers = [each for each in attentions if each.shape[-1] == each.shape[-2]]
    gradients = torch.autograd.grad(chosen, [*layers, kept[0]], allow_unused=True)
    slopes = [unused_is_zero(g, a) for g, a in zip(gradients, [*layers, kept[0]], strict=True)]
    flat = {
        GRADIENT: gradient_rollout(layers, slopes[:-1], prefix=prefix),
        CAM: token_grad_cam(kept[0], slopes[-1], prefix=prefix),
        ROLLOUT: attention_rollout(layers, prefix=prefix),
    }
    return {name: _square(each) for name, each in flat.items()}


def _of_cnn(network: Network, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    stages = sorted(
        (n for n in network.feature_names if n.startswith("stage")),
        key=lambda name: int(name.removeprefix("stage")),
    )
    if not stages:
        raise RecipeError(
            where="explain",
            what="this architecture has neither tokens nor feature maps",
            cure="Choose a ViT or a convolutional network.",
        )
    outputs = network(images, frozenset({stages[-1]}))
    activation = outputs.features[stages[-1]]
    chosen = outputs.logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, [activation], allow_unused=True)
    return {CAM: grad_cam(activation, unused_is_zero(gradient, activation))}


def _transformer(network: Network) -> Any | None:
    """The plain Transformer inside, ours or timm's; None for any other architecture."""
    backbone: Any = network.backbone
    backbone = backbone.body if isinstance(backbone, StageProbe) else backbone
    inner = getattr(backbone, "model", backbone)
    plain = hasattr(inner, "num_prefix_tokens") and hasattr(inner, "blocks")
    return inner if plain and hasattr(inner.blocks[-1], "norm1") else None


def _keep(kept: list[Tensor]) -> Callable[[nn.Module, Any, Tensor], None]:
    return lambda module, given, output: kept.append(output)


def _formed(network: Network, backbone: Any) -> list[str]:
    """Features with the attention of a ViT that forms it itself, first layer first; else none.

    With relative positions the kernel is not fused, and what it forms is part of the logits' graph.
    """
    if getattr(getattr(backbone.blocks[0], "attn", None), "relative", None) is None:
        return []
    names = (f"attention.{index}" for index in range(len(backbone.blocks)))
    return [name for name in names if name in network.feature_names]


def _chosen(logits: Tensor, classes: Tensor) -> Tensor:
    """Sum of each image's own class logit, so that one backward pass serves the batch."""
    return logits.gather(1, classes[:, None]).sum()


def _square(patches: Tensor) -> Tensor:
    side = int(round(patches.shape[1] ** 0.5))
    return patches.reshape(len(patches), side, side)


def _enlarged(maps: Tensor, side: int) -> Tensor:
    large = functional.interpolate(
        maps[:, None].float(), size=(side, side), mode="bilinear", align_corners=False
    )[:, 0]
    peak = large.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, large / peak.clamp(min=1e-30), torch.zeros_like(large))
