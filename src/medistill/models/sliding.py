"""Sliding windows: masks of images larger than those that a network was trained on.

Dimension key: B batch, C channels, K classes, N windows, S side of a window, L side of the canvas.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional


def starts(length: int, window: int, step: int) -> list[int]:
    """First pixels of windows that cover a side, the last one flush with its end."""
    if length <= window:
        return [0]
    return [*range(0, length - window, step), length - window]


class Windows(nn.Module):
    """Cuts a square canvas into overlapping windows, and blends what is said of them.

    A window's middle counts more than its edge: a Gaussian of deviation 1/8 of the side, on the
    scores before the softmax (Isensee et al., nnU-Net, Nature Methods 2021).

    Args:
        canvas: L in pixels.
        window: S in pixels, at most L.
        overlap: share of a window that the next one repeats, from 0 to below 1.

    Raises:
        ValueError: an impossible overlap, or a window larger than the canvas.
    """

    bell: Tensor
    total: Tensor

    def __init__(self, *, canvas: int, window: int, overlap: float = 0.5) -> None:
        super().__init__()
        if not 0 <= overlap < 1:
            raise ValueError(f"windows cannot overlap by {overlap}")
        if window > canvas:
            raise ValueError(f"a window of {window} pixels on a canvas of {canvas}")
        self.canvas, self.window = canvas, window
        step = max(1, round(window * (1 - overlap)))
        lines = starts(canvas, window, step)
        self.corners = [(top, left) for top in lines for left in lines]
        self.register_buffer("bell", _bell(window), persistent=False)
        parts = [self._placed(self.bell, *corner) for corner in self.corners]
        self.register_buffer("total", functools.reduce(torch.add, parts), persistent=False)

    def cut(self, images: Tensor) -> Iterator[Tensor]:
        """N windows (B, C, S, S) of canvases (B, C, L, L), row by row."""
        for top, left in self.corners:
            yield images[..., top : top + self.window, left : left + self.window]

    def blend(self, scores: list[Tensor]) -> Tensor:
        """(B, K, L, L) means, by the windows' weights, of N scores (B, K, S, S)."""
        placed = (
            self._placed(each * self.bell, *corner)
            for each, corner in zip(scores, self.corners, strict=True)
        )
        return functools.reduce(torch.add, placed) / self.total

    def _placed(self, part: Tensor, top: int, left: int) -> Tensor:
        """A window where it belongs on the canvas, zeros around it."""
        right, bottom = self.canvas - self.window - left, self.canvas - self.window - top
        return functional.pad(part, (left, right, top, bottom))


def _bell(side: int) -> Tensor:
    """(S, S) weights, 1 in the middle and at least 1e-3."""
    place = (torch.arange(side) - (side - 1) / 2) / (side / 8)
    line = torch.exp(-0.5 * place.square())
    return torch.outer(line, line).clamp(min=1e-3)
