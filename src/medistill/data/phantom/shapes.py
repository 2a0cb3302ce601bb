"""Soft geometry of the phantom: signed distances in millimetres, negative inside.

Edges are anti-aliased by turning a distance into the share of a pixel that is covered, so one
sample a pixel is enough. Smooth unions follow the polynomial blend of Quilez, "Smooth minimum"
(2013): ``min(a, b) - h^2 k / 4`` with ``h = max(k - |a - b|, 0) / k``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]


def length_of(u: Field, v: Field) -> Field:
    """Euclidean length; several times faster than ``numpy.hypot`` on float32."""
    return np.sqrt(u * u + v * v)


def disc(x: Field, y: Field, centre: tuple[float, float], radius: float) -> Field:
    """Signed distance to a disc."""
    return length_of(x - np.float32(centre[0]), y - np.float32(centre[1])) - np.float32(radius)


def ellipse(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0
) -> Field:
    """First-order signed distance to an ellipse whose first radius points along ``turn`` (rad)."""
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    u = (dx * cos + dy * sin) / np.float32(radii[0])
    v = (dy * cos - dx * sin) / np.float32(radii[1])
    scaled = length_of(u, v)
    gradient = length_of(u / np.float32(radii[0]), v / np.float32(radii[1]))
    return scaled * (scaled - 1) / np.maximum(gradient, np.float32(1e-6))


def capsule(
    x: Field,
    y: Field,
    start: tuple[float, float],
    end: tuple[float, float],
    radii: tuple[float, float],
) -> Field:
    """Signed distance to a straight rod whose radius runs from ``radii[0]`` to ``radii[1]``."""
    ax, ay = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    dx, dy = x - np.float32(start[0]), y - np.float32(start[1])
    along = np.clip((dx * ax + dy * ay) / (ax * ax + ay * ay), 0, 1)
    radius = np.float32(radii[0]) + np.float32(radii[1] - radii[0]) * along
    return length_of(dx - ax * along, dy - ay * along) - radius


def blend(distances: Sequence[Field], softness: float) -> Field:
    """Smooth union of several shapes; ``softness`` in millimetres rounds the inner corners."""
    union, k = distances[0], np.float32(softness)
    for distance in distances[1:]:
        h = np.maximum(k - np.abs(union - distance), 0)
        union = np.minimum(union, distance) - h * h / (4 * k)
    return union


def coverage(distance: Field, edge: float) -> Field:
    """Share of each pixel that a shape covers, [0, 1]; ``edge`` is the edge's width in mm."""
    share: Field = np.clip(np.float32(0.5) - distance / np.float32(edge), 0, 1)
    return share


def ramp(values: Field, low: float, high: float) -> Field:
    """Smooth step from 0 at ``low`` to 1 at ``high`` (``low > high`` falls instead)."""
    t: Field = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def paint(hounsfield: Field, value: Field | float, cover: Field) -> None:
    """Lay a material over the picture in place, mixed linearly as partial volumes are."""
    hounsfield += (value - hounsfield) * cover
