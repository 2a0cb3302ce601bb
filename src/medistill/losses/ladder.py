"""The contourlet transform as it was published: Laplacian pyramid and directional filter bank.

Do and Vetterli, "The Contourlet Transform", IEEE Transactions on Image Processing 14(12), 2005: a
pyramid with the 9-7 filters, and for each of its bands a tree of two-channel quincunx filter banks
in ladder form with the filter of Phoong, Kim, Vaidyanathan and Ansari (IEEE Transactions on Signal
Processing 43(3), 1995). Extension is periodic on the image; 1 + 1/4 + ... coefficients a pixel.

Subsampled signals stand on the full torus with zeros off their own coset, so that every filter is a
sum of shifted images. Slower than the windows of ``contourlet``, and it does not shift with its
image.

Dimension key: B batch, C channels, H W sides, K bands.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_HALF_LOW = (0.037828455506995, -0.02384946501938, -0.11062440441842, 0.37740285561265)
_HALF_UP = (-0.064538882628938, -0.040689417609558, 0.41809227322221)
_LOW = (*_HALF_LOW, 0.8526986790094, *reversed(_HALF_LOW))
_UP = (*_HALF_UP, 0.78848561640566, *reversed(_HALF_UP))
_V = (0.63, -0.193, 0.0972, -0.0526, 0.0272, -0.0144)
_LADDER = tuple(-tap if place % 2 == 0 else tap for place, tap in enumerate((*reversed(_V), *_V)))
Matrix = tuple[tuple[int, int], tuple[int, int]]
_UNIT: Matrix = ((1, 0), (0, 1))
_Q: tuple[Matrix, Matrix] = (((1, -1), (1, 1)), ((1, 1), (-1, 1)))
_R: tuple[Matrix, ...] = (((1, 1), (0, 1)), ((1, -1), (0, 1)), ((1, 0), (1, 1)), ((1, 0), (-1, 1)))
# Shear and quincunx matrix of each node, level by level.
_NODES: tuple[tuple[tuple[Matrix, Matrix], ...], ...] = (
    ((_UNIT, _Q[0]),),
    ((_UNIT, _Q[1]),) * 2,
    ((_R[1], _Q[1]), (_R[0], _Q[0]), (_R[3], _Q[0]), (_R[2], _Q[1])),
)
#: Most halvings of the half circle.
DEEPEST = len(_NODES)


class _Node(NamedTuple):
    """One two-channel bank: its sampling matrix and where its two cosets lie."""

    matrix: Matrix
    even: tuple[int, int]
    odd: tuple[int, int]


def fits_ladder(height: int, width: int, directions: Sequence[int]) -> bool:
    """Whether every scale's sides can be subsampled as often as its directions ask."""
    for scale, halvings in enumerate(directions):
        step = 2 ** max(1, halvings - 1)
        for side in (height, width):
            if side % 2**scale or (side >> scale) % step or not 1 <= halvings <= DEEPEST:
                return False
    return True


def ladder_decompose(images: Tensor, directions: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """Bands and what is left below them.

    Args:
        images: (B, C, H, W).
        directions: for each scale, fine to coarse, how often the half circle is halved, 1 to 3.

    Returns:
        For each scale (B, K, C, H / 2^n, W / 2^n), zeros off each band's coset; and the low-pass
        (B, C, ...) of the coarsest scale.

    Raises:
        ValueError: sides that cannot be subsampled so often.
    """
    if not fits_ladder(images.shape[-2], images.shape[-1], directions):
        sides = f"{images.shape[-2]} x {images.shape[-1]}"
        raise ValueError(f"directions {tuple(directions)} do not fit into {sides}")
    scales, low = [], images
    for halvings in directions:
        smaller = _filtered(low, _LOW)[..., ::2, ::2]
        parts = [low - _filtered(_spread(smaller), _UP)]
        for level in range(halvings):
            nodes = _nodes(level)
            parts = [
                half for part, node in zip(parts, nodes, strict=True) for half in _split(part, node)
            ]
        scales.append(torch.stack(parts, dim=1))
        low = smaller
    return scales, low


def ladder_reconstruct(scales: Sequence[Tensor], low: Tensor) -> Tensor:
    """(B, C, H, W) images of what ``ladder_decompose`` made."""
    for bands in reversed(scales):
        parts = list(bands.unbind(dim=1))
        for level in reversed(range(int(math.log2(len(parts))))):
            nodes = _nodes(level)
            parts = [_joined(parts[2 * i], parts[2 * i + 1], node) for i, node in enumerate(nodes)]
        low = parts[0] + _filtered(_spread(low), _UP)
    return low


def ladder_energies(images: Tensor, directions: Sequence[int]) -> Tensor:
    """(B, K) sums of squares of each band of (B, C, H, W), scale by scale."""
    scales, _ = ladder_decompose(images, directions)
    return torch.cat([bands.square().sum(dim=(2, 3, 4)) for bands in scales], dim=1)


def _split(x: Tensor, node: _Node) -> tuple[Tensor, Tensor]:
    even, odd = _masks(x, node)
    first = (x * even - _predicted(x * odd, node) * even) / math.sqrt(2)
    return first, -math.sqrt(2) * x * odd - _predicted(first, node) * odd


def _joined(first: Tensor, second: Tensor, node: _Node) -> Tensor:
    even, odd = _masks(first, node)
    late = -(second + _predicted(first, node) * odd) / math.sqrt(2)
    return math.sqrt(2) * first + _predicted(late, node) * even + late


def _predicted(x: Tensor, node: _Node) -> Tensor:
    """``sum_ab f_a f_b x(n + M (h_a, h_b))`` with h from -11/2 to 11/2."""
    (a, b), (c, d) = node.matrix
    reach = len(_LADDER) // 2
    # Half a step of each kind is a whole number of pixels; the rest are whole steps.
    found = x.roll((-(a + b) // 2, -(c + d) // 2), dims=(-2, -1))
    for down, across in ((a, c), (b, d)):
        found = _shifted(found, _LADDER, (down, across), reach)
    return found


def _shifted(x: Tensor, taps: Sequence[float], step: tuple[int, int], first: int) -> Tensor:
    """``sum_k taps_k x(n + (k - first) step)`` on the torus."""
    total = torch.zeros_like(x)
    for place, tap in enumerate(taps):
        times = place - first
        shifts = (-times * step[0], -times * step[1])
        total = total + tap * x.roll(shifts, dims=(-2, -1))
    return total


def _filtered(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Symmetric filter along rows and columns."""
    reach = len(taps) // 2
    return _shifted(_shifted(x, taps, (1, 0), reach), taps, (0, 1), reach)


def _spread(x: Tensor) -> Tensor:
    """Twice as large, zeros between."""
    large = x.new_zeros((*x.shape[:-2], 2 * x.shape[-2], 2 * x.shape[-1]))
    large[..., ::2, ::2] = x
    return large


def _times(left: Matrix, right: Matrix) -> Matrix:
    (a, b), (c, d) = left
    (e, f), (g, h) = right
    return ((a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h))


@functools.lru_cache
def _nodes(level: int) -> tuple[_Node, ...]:
    """Every two-channel bank of a level, in the order of its bands."""
    cosets: list[tuple[int, int]] = [(0, 0)]
    parents: tuple[Matrix, ...] = (_UNIT,)
    for depth in range(level + 1):
        found, matrices = [], []
        for (shear, quincunx), start, parent in zip(_NODES[depth], cosets, parents, strict=True):
            sheared = _times(parent, shear)
            odd = (start[0] + sheared[0][0], start[1] + sheared[1][0])
            found.append(_Node(_times(sheared, quincunx), start, odd))
            matrices += [found[-1].matrix] * 2
        cosets = [coset for node in found for coset in (node.even, node.odd)]
        parents = tuple(matrices)
    return tuple(found)


def _masks(x: Tensor, node: _Node) -> tuple[Tensor, Tensor]:
    height, width = x.shape[-2:]
    masks = (_coset(height, width, node.matrix, start) for start in (node.even, node.odd))
    even, odd = (mask.to(x) for mask in masks)
    return even, odd


@functools.lru_cache(maxsize=64)
def _coset(height: int, width: int, matrix: Matrix, start: tuple[int, int]) -> Tensor:
    """(H, W), 1 where ``start + M Z^2`` is."""
    (a, b), (c, d) = matrix
    area = abs(a * d - b * c)
    rows = torch.arange(height)[:, None] - start[0]
    columns = torch.arange(width)[None, :] - start[1]
    on = ((d * rows - b * columns) % area == 0) & ((a * columns - c * rows) % area == 0)
    return on.float()
