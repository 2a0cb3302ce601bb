"""Segmentation of images larger than those that a network was trained on, window by window."""

from __future__ import annotations

import torch
from torch import Tensor

from medistill.models.network import Network


def starts(length: int, window: int, step: int) -> list[int]:
    """First pixels of windows that cover a side, the last one flush with its end."""
    if length <= window:
        return [0]
    return [*range(0, length - window, step), length - window]


def predict_windows(network: Network, images: Tensor, *, overlap: float = 0.5) -> Tensor:
    """Class probabilities of every pixel, averaged over overlapping windows.

    A window's middle counts more than its edge (a Gaussian of deviation 1/8 of the side, as
    Isensee et al., nnU-Net, Nature Methods 2021). An image smaller than a window is padded by
    black, and the padding is cut off again. The network keeps its mode.

    Args:
        network: a segmentation network; windows have the size of its input.
        images: (B, C, H, W) in [0, 1], of any size.
        overlap: share of a window that the next one repeats, from 0 to below 1.

    Returns:
        (B, K, H, W) float32, sums over K are one.

    Raises:
        ValueError: an impossible overlap.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"windows cannot overlap by {overlap}")
    window = network.preprocessing.size
    height, width = images.shape[-2:]
    padded = torch.nn.functional.pad(
        images, (0, max(0, window - width), 0, max(0, window - height))
    )
    step = max(1, round(window * (1 - overlap)))
    weights = _bell(window).to(images.device)
    total: Tensor | None = None
    counted = padded.new_zeros(padded.shape[-2:])
    training = network.training
    network.eval()
    with torch.inference_mode():
        for top in starts(padded.shape[-2], window, step):
            for left in starts(padded.shape[-1], window, step):
                part = padded[..., top : top + window, left : left + window]
                chances = torch.softmax(network(part).logits.float(), dim=1)
                if total is None:
                    shape = (len(images), chances.shape[1], *padded.shape[-2:])
                    total = chances.new_zeros(shape)
                total[..., top : top + window, left : left + window] += chances * weights
                counted[top : top + window, left : left + window] += weights
    network.train(training)
    if total is None:
        raise ValueError("no image")
    return (total / counted)[..., :height, :width]


def _bell(side: int) -> Tensor:
    """(S, S) weights, 1 in the middle and at least 1e-3."""
    place = (torch.arange(side) - (side - 1) / 2) / (side / 8)
    line = torch.exp(-0.5 * place.square())
    return torch.outer(line, line).clamp(min=1e-3)
