"""Standardised class scores."""

from __future__ import annotations

import torch
from torch import Tensor

# Below this deviation logits are as good as equal; dividing by less would blow gradients up.
_FLOOR = 1e-2


def standardised(logits: Tensor) -> Tensor:
    """Each row of logits to mean 0 and deviation 1 over its classes.

    ``(z - mean_K z) / max(std_K z, 0.01)`` with the population deviation; Sun, Ren, Li, Wang and
    Cao, "Logit Standardization in Knowledge Distillation", CVPR 2024, section 4. A student then
    learns the shape of the teacher's scores and is free in their scale. Made for use before a loss
    between logits, on both sides. With two classes every row becomes (-1, 1) or (1, -1), which
    teaches nothing: use it with three or more.

    Computed in float32, outside autocast. Gradients reach the logits.

    Args:
        logits: (B, K), K at least 3.

    Returns:
        (B, K) float32; a row of equal logits becomes zeros, and its gradient stays bounded.

    Raises:
        ValueError: fewer than three classes.

    Example:
        >>> [round(z, 4) for z in standardised(torch.tensor([[1.0, 2.0, 3.0]]))[0].tolist()]
        [-1.2247, 0.0, 1.2247]
    """
    if logits.shape[-1] < 3:
        raise ValueError(f"{logits.shape[-1]} standardised logits are the same for every image")
    with torch.autocast(logits.device.type, enabled=False):
        centred = logits.float() - logits.float().mean(dim=-1, keepdim=True)
        square = centred.square().mean(dim=-1, keepdim=True)
        # The floor goes inside the root, where the gradient of a root at 0 would be infinite.
        return centred / square.clamp(min=_FLOOR**2).sqrt()
