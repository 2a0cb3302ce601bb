"""Space-channel cascade fusion: four stages of a student, refined and fused from deep to shallow.

Fusion across stages after Chen et al., "Distilling Knowledge via Knowledge Review", CVPR 2021;
refinement in space and then in channels after Li, Wen and He, "SCConv: Spatial and Channel
Reconstruction Convolution for Feature Redundancy", CVPR 2023.

Dimension key: B batch, C channels, H W sides of a map.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_GATE = 0.5


class SpatialRefinement(nn.Module):
    """SRU: what group-norm finds informative is kept, the rest crosses over (section 3.1).

    Args:
        channels: C, even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        groups = next(count for count in (16, 8, 4, 2, 1) if channels % count == 0)
        self.norm = nn.GroupNorm(groups, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same."""
        normed = self.norm(x)
        scale = self.norm.weight
        # The sum of learned scales may pass through zero; its sign is kept.
        total = scale.sum()
        total = torch.where(total.abs() < 1e-6, torch.full_like(total, 1e-6), total)
        importance = torch.sigmoid(normed * (scale / total)[:, None, None])
        told, gated = importance > _GATE, importance * x
        strong, weak = torch.where(told, x, gated), gated.masked_fill(told, 0.0)
        strong_halves, weak_halves = strong.chunk(2, dim=1), weak.chunk(2, dim=1)
        crossed = [strong_halves[0] + weak_halves[1], strong_halves[1] + weak_halves[0]]
        return torch.cat(crossed, dim=1)


class ChannelRefinement(nn.Module):
    """CRU: half of the channels is transformed richly, half cheaply, then weighed (section 3.2).

    Args:
        channels: C, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = channels // 4
        self.squeeze_up = nn.Conv2d(channels // 2, few, 1, bias=False)
        self.squeeze_low = nn.Conv2d(channels // 2, few, 1, bias=False)
        groups = 2 if few % 2 == 0 else 1
        self.group_wise = nn.Conv2d(few, channels, 3, padding=1, groups=groups)
        self.point_wise = nn.Conv2d(few, channels, 1, bias=False)
        self.cheap = nn.Conv2d(few, channels - few, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same."""
        up, low = x.chunk(2, dim=1)
        up, low = self.squeeze_up(up), self.squeeze_low(low)
        rich = self.group_wise(up) + self.point_wise(up)
        both = torch.cat([rich, self.cheap(low), low], dim=1)
        weighed = torch.softmax(both.mean(dim=(2, 3), keepdim=True), dim=1) * both
        first, second = weighed.chunk(2, dim=1)
        return first + second


class CascadeFusion(nn.Module):
    """From a student's stages to the teacher's, each helped by the deeper ones.

    Args:
        student: channels of the student's stages, shallow to deep.
        teacher: channels of the teacher's.
        width: channels in between, a multiple of 4.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int], *, width: int) -> None:
        super().__init__()
        self.enter = nn.ModuleList(
            nn.Sequential(nn.Conv2d(given, width, 1, bias=False), nn.BatchNorm2d(width))
            for given in student
        )
        self.weigh = nn.ModuleList(nn.Conv2d(2 * width, 2, 1) for _ in student[:-1])
        self.refine = nn.ModuleList(
            nn.Sequential(SpatialRefinement(width), ChannelRefinement(width)) for _ in student
        )
        self.leave = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, wanted, 3, padding=1, bias=False), nn.BatchNorm2d(wanted)
            )
            for wanted in teacher
        )

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Stages (B, C_i, H_i, W_i), shallow to deep, to maps with the teacher's channels."""
        found: list[Tensor] = []
        deeper: Tensor | None = None
        for index in reversed(range(len(stages))):
            x = self.enter[index](stages[index])
            if deeper is not None:
                size = (x.shape[-2], x.shape[-1])
                deeper = functional.interpolate(deeper, size=size, mode="nearest")
                shares = torch.sigmoid(self.weigh[index](torch.cat([x, deeper], dim=1)))
                x = shares[:, :1] * x + shares[:, 1:] * deeper
            deeper = self.refine[index](x)
            found.append(self.leave[index](deeper))
        return found[::-1]


def fits(width: int) -> bool:
    """Whether maps of this width can be split and refined."""
    return width >= 4 and width % 4 == 0


def pairs_differ(
    student: Sequence[tuple[int, ...]], teacher: Sequence[tuple[int, ...]]
) -> int | None:
    """The first stage whose height and width differ between both, or None."""
    for level, (mine, their) in enumerate(itertools.zip_longest(student, teacher)):
        if mine is None or their is None or mine[-2:] != their[-2:]:
            return level
    return None
