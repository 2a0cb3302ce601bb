"""Position embeddings for another number of patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def grid_side(tokens: int, *, prefix: int) -> int | None:
    """Side of the square of patches, or None where the patches do not form one."""
    side = math.isqrt(max(tokens - prefix, 0))
    return side if side > 0 and side**2 == tokens - prefix else None


def resize_positions(positions: Tensor, *, side: int, prefix: int) -> Tensor:
    """Resample learned position embeddings for a square of side x side patches.

    Bicubic with antialiasing over the square, as timm and DeiT do when an image size changes; the
    rows of the extra tokens stay as they are.

    Args:
        positions: (1, P + n^2, D), extra tokens first.
        side: patches a side wanted.
        prefix: P, number of extra tokens.

    Returns:
        (1, P + side^2, D) of the same type.

    Raises:
        ValueError: the patches do not form a square.
    """
    old = grid_side(positions.shape[1], prefix=prefix)
    if old is None:
        raise ValueError(f"{positions.shape[1] - prefix} patches do not form a square")
    if old == side:
        return positions
    square = positions[:, prefix:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = functional.interpolate(
        square, size=(side, side), mode="bicubic", antialias=True, align_corners=False
    )
    rows = square.permute(0, 2, 3, 1).reshape(1, side * side, -1).to(positions.dtype)
    return torch.cat([positions[:, :prefix], rows], dim=1)
