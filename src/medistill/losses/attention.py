"""Loss between attention maps of convolutional features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# A map whose norm is below this counts as one of this norm, so that zeros are safe.
_FLOOR = 1e-6


def attention_transfer(*, student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of normalised attention maps.

    ``mean_B mean_HW (Q_s - Q_t)^2`` with ``Q = q / |q|`` and ``q = vec(mean_C F^2)``; Zagoruyko and
    Komodakis, "Paying More Attention to Attention", ICLR 2017, with the mean of the authors' code.
    The finer map is averaged to the coarser one's resolution. At most 2 / HW: its weights are large
    (1000 in the paper).

    Normaliser: mean over positions and batch. Computed in float32, outside autocast: squares
    overflow half precision. Gradients reach the student alone.

    Args:
        student: (B, C, h, w) features; any number of channels.
        teacher: (B, D, H, W) features; detached here.

    Returns:
        A float32 scalar, at least 0, and 0 where both look at the same places.

    Example:
        >>> left, right = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
        >>> attention_transfer(student=left, teacher=right).item()
        1.0
    """
    with torch.autocast(student.device.type, enabled=False):
        maps = [each.float().square().mean(dim=1) for each in (student, teacher.detach())]
        height, width = map(min, maps[0].shape[-2:], maps[1].shape[-2:])
        ours, theirs = (
            _unit(functional.adaptive_avg_pool2d(each, (height, width)).flatten(1)) for each in maps
        )
        return (ours - theirs).square().mean()


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.square().sum(dim=-1, keepdim=True).clamp(min=_FLOOR**2).sqrt()
