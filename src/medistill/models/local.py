"""Convolutions in a Transformer's feed-forward part, which give it a sense of neighbourhood.

Dimension key: B batch, N tokens, D width, S patches a side.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Local = Literal["leff", "localvit", "localvit-se", "localvit-eca"]
KINDS: tuple[str, ...] = get_args(Local)


class LeFF(nn.Module):
    """CeIT's locally-enhanced feed-forward.

    Yuan et al., "Incorporating Convolution Designs into Visual Transformers", ICCV 2021.

    Patches become a map, grow by 1 x 1, mix by 3 x 3 depth by depth, and shrink again; extra tokens
    come out as they went in, so that a block ends with ``x + norm(x)`` for them.

    Args:
        width: numbers a token.
        hidden: channels in between.
        prefix: extra tokens before the patches.
    """

    #: The block normalises before it.
    normed = True

    def __init__(self, *, width: int, hidden: int, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix
        self.grow = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.BatchNorm2d(hidden), nn.GELU())
        depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.mix = nn.Sequential(depthwise, nn.BatchNorm2d(hidden), nn.GELU())
        self.shrink = nn.Sequential(nn.Conv2d(hidden, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        extra, maps = _split(x, self.prefix)
        return torch.cat([extra, _flat(self.shrink(self.mix(self.grow(maps))))], dim=1)


class LocalFeedForward(nn.Module):
    """LocalViT's inverted residual, with h-swish and, on demand, channel attention.

    Li et al., "LocalViT: Bringing Locality to Vision Transformers", 2021.

    Takes tokens that were not normalised; extra tokens get nothing added.

    Args:
        width: numbers a token.
        hidden: channels in between.
        prefix: extra tokens before the patches.
        attention: ``se`` (squeeze and excitation by 4), ``eca`` (Wang et al., CVPR 2020) or None.
    """

    #: The block must not normalise before it.
    normed = False

    def __init__(
        self, *, width: int, hidden: int, prefix: int, attention: str | None = None
    ) -> None:
        super().__init__()
        self.prefix = prefix
        self.grow = _conv(width, hidden, 1)
        self.mix = _conv(hidden, hidden, 3, groups=hidden)
        kinds = {None: nn.Identity, "se": SqueezeExcite, "eca": EfficientAttention}
        self.gate = kinds[attention]() if attention is None else kinds[attention](hidden)
        self.shrink = nn.Sequential(nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D), zeros for the extra tokens."""
        extra, maps = _split(x, self.prefix)
        made = _flat(self.shrink(self.gate(self.mix(self.grow(maps)))))
        return torch.cat([torch.zeros_like(extra), made], dim=1)


class SqueezeExcite(nn.Module):
    """Channels scaled by what their means say; Hu et al., CVPR 2018, reduction 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, S, S) to the same."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(dim=(2, 3))))))
        return x * weights[:, :, None, None]


class EfficientAttention(nn.Module):
    """Channels scaled by a convolution over their neighbours' means; Wang et al., CVPR 2020."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reach = int(abs((math.log2(channels) + 1) / 2))
        size = reach if reach % 2 else reach + 1
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, S, S) to the same."""
        weights = torch.sigmoid(self.conv(x.mean(dim=(2, 3))[:, None]))[:, 0]
        return x * weights[:, :, None, None]


def local_part(kind: str, *, width: int, hidden: int, prefix: int) -> LeFF | LocalFeedForward:
    """The feed-forward part that a recipe names.

    Raises:
        ValueError: no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no local part is called '{kind}'; known: {', '.join(KINDS)}")
    if kind == "leff":
        return LeFF(width=width, hidden=hidden, prefix=prefix)
    attention = kind.partition("-")[2] or None
    return LocalFeedForward(width=width, hidden=hidden, prefix=prefix, attention=attention)


def _conv(given: int, made: int, size: int, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(given, made, size, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(made), nn.Hardswish())


def _split(x: Tensor, prefix: int) -> tuple[Tensor, Tensor]:
    """(B, P, D) extra tokens and (B, D, S, S) patches of (B, N, D)."""
    patches = x[:, prefix:].transpose(1, 2)
    side = math.isqrt(x.shape[1] - prefix)
    return x[:, :prefix], patches.reshape(x.shape[0], x.shape[2], side, side)


def _flat(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)
