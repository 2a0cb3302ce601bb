"""Loss between feature maps at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SIDES = (4, 2, 1)


def pyramid_match(*, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference at full size and after pooling to 4 x 4, 2 x 2 and 1 x 1.

    ``(MSE + MSE_4 / 2 + MSE_2 / 4 + MSE_1 / 8) / (1 + 1/2 + 1/4 + 1/8)``, without the sizes that a
    map does not exceed; the hierarchical context loss of Chen, Liu, Zhao and Jia, "Distilling
    Knowledge via Knowledge Review", CVPR 2021.

    Normaliser: mean over everything, weighted mean over sizes. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, C, H, W), projected to the teacher's channels and size.
        teacher: (B, C, H, W); detached here.

    Returns:
        A float32 scalar, at least 0, and 0 where both are equal.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> maps = torch.zeros(1, 2, 8, 8)
        >>> pyramid_match(student=maps + 3, teacher=maps).item()
        9.0
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        ours, theirs = student.float(), teacher.detach().float()
        total, weight, weights = functional.mse_loss(ours, theirs), 1.0, 1.0
        for side in _SIDES:
            if min(ours.shape[-2:]) <= side:
                continue
            weight /= 2
            pooled = [functional.adaptive_avg_pool2d(each, side) for each in (ours, theirs)]
            total = total + weight * functional.mse_loss(pooled[0], pooled[1])
            weights += weight
        return total / weights
