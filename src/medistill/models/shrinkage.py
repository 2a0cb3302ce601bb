"""Residual shrinkage: a branch loses what is weaker than a threshold that it sets itself.

Zhao, Zhong, Fu, Tang and Pecht, "Deep Residual Shrinkage Networks for Fault Diagnosis", IEEE
Transactions on Industrial Informatics 16(7), 2020, with a threshold a channel (DRSN-CW).

Dimension key: B batch, C channels, H W sides of a map.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

Gate = Literal["r4", "eca"]
GATES: tuple[str, ...] = get_args(Gate)


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    """``sign(x) max(|x| - threshold, 0)``, broadcast."""
    return x.sign() * (x.abs() - threshold).clamp(min=0)


class Shrinkage(nn.Module):
    """Soft-thresholds each channel of a branch at a share of its mean absolute value.

    ``tau_c = s_c mean_HW |R_c|`` with s in (0, 1) from the gate, so a channel is never emptied.

    Args:
        channels: C.
        gate: ``r4``: FC to C / 4, batch norm, ReLU, FC back, sigmoid; ``eca``: a convolution over
            three neighbouring channels, sigmoid (Wang et al., CVPR 2020).
    """

    def __init__(self, channels: int, *, gate: str) -> None:
        super().__init__()
        if gate not in GATES:
            raise ValueError(f"no gate is called '{gate}'; known: {', '.join(GATES)}")
        self.gate: nn.Module
        if gate == "eca":
            self.gate = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        else:
            few = channels // 4
            self.gate = nn.Sequential(
                nn.Linear(channels, few), nn.BatchNorm1d(few), nn.ReLU(), nn.Linear(few, channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same."""
        means = x.abs().mean(dim=(2, 3))
        one_row = isinstance(self.gate, nn.Conv1d)
        scores = self.gate(means[:, None])[:, 0] if one_row else self.gate(means)
        return soft_threshold(x, (means * torch.sigmoid(scores))[:, :, None, None])


class ShrunkProjection(nn.Module):
    """A MobileViT block's projection back to channels, with shrinkage behind it.

    Keeps the names of what it replaces, so that published weights find their place.

    Args:
        projection: timm's convolution with norm and activation.
        gate: see ``Shrinkage``.
    """

    def __init__(self, projection: Any, *, gate: str) -> None:
        super().__init__()
        self.conv, self.bn = projection.conv, projection.bn
        self.shrink = Shrinkage(self.conv.out_channels, gate=gate)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, H, W) to (B, C, H, W)."""
        found: Tensor = self.shrink(self.bn(self.conv(x)))
        return found


def add_shrinkage(model: nn.Module, *, gate: str) -> int:
    """Put shrinkage into the branch of every MobileViT block; how many there are.

    The branch (local convolution, Transformer, projection) loses its noise before it is joined
    with the block's untouched input.
    """
    blocks: list[Any] = [m for m in model.modules() if hasattr(m, "conv_fusion")]
    for block in blocks:
        block.conv_proj = ShrunkProjection(block.conv_proj, gate=gate)
    return len(blocks)
