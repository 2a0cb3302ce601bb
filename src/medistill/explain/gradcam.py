"""Grad-CAM for convolutional maps and for tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Weighted sum of channels, each weighted by its mean gradient, negative values cut.

    Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2.

    Args:
        activation: (B, C, H, W).
        gradient: of the class's logit with respect to it, (B, C, H, W).

    Returns:
        (B, H, W), not negative.
    """
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * activation).sum(dim=1).clamp(min=0)


def token_grad_cam(tokens: Tensor, gradient: Tensor, *, prefix: int) -> Tensor:
    """The same with patches as places; extra tokens have none and are left out.

    Args:
        tokens: (B, N, D) after a norm of the last block.
        gradient: of the class's logit with respect to it.
        prefix: number of extra tokens, P.

    Returns:
        (B, N - P), not negative.
    """
    patches, slopes = tokens[:, prefix:], gradient[:, prefix:]
    weights = slopes.mean(dim=1, keepdim=True)
    return (weights * patches).sum(dim=2).clamp(min=0)


def unused_is_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A gradient, or zeros where the class does not depend on the tensor at all."""
    return torch.zeros_like(like) if gradient is None else gradient
