"""Losses between feature maps and tokens of the same width.

Dimension key: B batch, C channels, H W sides of a map, N tokens, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def resized(student: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) maps brought to ``size``: averaged down, interpolated up, in float32.

    Bilinear, without aligned corners; averaging first keeps small structures from being skipped.
    """
    if student.shape[-2:] == size:
        return student.float()
    if all(have >= want for have, want in zip(student.shape[-2:], size, strict=True)):
        return functional.adaptive_avg_pool2d(student.float(), size)
    return functional.interpolate(student.float(), size=size, mode="bilinear", align_corners=False)


def map_match(*, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of feature maps, at the teacher's resolution.

    ``mean_B mean_C mean_HW (R f_s - f_t)^2`` with R the resizing; Li et al., "Locality Guidance for
    Improving Vision Transformers on Tiny Datasets", ECCV 2022, equation 3.

    Normaliser: mean over everything. Computed in float32, outside autocast. Gradients reach the
    student alone.

    Args:
        student: (B, C, h, w), projected to the teacher's channels.
        teacher: (B, C, H, W); detached here.

    Returns:
        A float32 scalar, at least 0, and 0 where the resized student equals the teacher.

    Raises:
        ValueError: batch or channels differ.

    Example:
        >>> map_match(student=torch.ones(1, 2, 2, 2), teacher=torch.zeros(1, 2, 4, 4)).item()
        1.0
    """
    if student.shape[:2] != teacher.shape[:2]:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        goal = teacher.detach().float()
        return functional.mse_loss(resized(student, (goal.shape[-2], goal.shape[-1])), goal)


def token_match(*, student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
    """Squared distance of tokens, summed over an image.

    ``mean_B sum_N sum_D m_n (f_s - f_t)^2`` with m = 1 without a mask; Yang et al., "ViTKD:
    Practical Guidelines for ViT Feature Knowledge Distillation", 2022, equations 1 and 4. A sum
    over some 100,000 numbers: its weights in the paper are about 1e-5.

    Normaliser: sum over tokens and width, mean over the batch. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, N, D), projected to the teacher's width.
        teacher: (B, N, D); detached here.
        mask: (B, N) with 1 for the tokens that count, or None.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> token_match(student=torch.ones(2, 3, 4), teacher=torch.zeros(2, 3, 4)).item()
        12.0
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        each = (student.float() - teacher.detach().float()).square().sum(dim=-1)
        counted = each if mask is None else each * mask
        return counted.sum(dim=-1).mean()
