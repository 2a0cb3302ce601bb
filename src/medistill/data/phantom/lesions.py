"""Lesions of the phantom: ground-glass opacity, consolidation and nodules, with exact masks.

Terms as in Bankier et al., "Fleischner Society: Glossary of Terms for Thoracic Imaging" (2024):
ground glass is hazy and leaves vessels visible, consolidation hides them, a nodule is a rounded
opacity of at most 30 mm. Centres are uniform over the area of the lungs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medistill.data.phantom.anatomy import Anatomy, Point
from medistill.data.phantom.grid import Grid, Window
from medistill.data.phantom.shapes import Field, coverage, length_of, ramp

LESIONS: tuple[str, ...] = ("ground-glass", "consolidation", "nodule")

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Opacity:
    """How a lesion changes the picture.

    Attributes:
        kind: one of ``LESIONS``.
        where: the rows and columns of the picture that the arrays below cover.
        cover: (h, w) share of each pixel it fills, [0, 1], zero outside the lungs.
        hounsfield: (h, w) density where it fills a pixel wholly.
    """

    kind: str
    where: Window
    cover: Field
    hounsfield: Field

    @property
    def mask(self) -> Mask:
        """(h, w) bool: pixels at least half filled, or the fullest one where none is."""
        return (self.cover > 0) & (self.cover >= min(0.5, float(self.cover.max(initial=0))))


def draw_opacities(
    rng: np.random.Generator,
    anatomy: Anatomy,
    grid: Grid,
    lung: Field,
    *,
    kinds: frozenset[str],
) -> tuple[Opacity, ...]:
    """Draw the lesions of one slice.

    Args:
        rng: where the draws come from.
        anatomy: the patient.
        grid: the field of view.
        lung: (S, S) share of each pixel that is lung, [0, 1].
        kinds: which of ``LESIONS`` are present.
    """
    found = []
    for kind in LESIONS:
        if kind not in kinds:
            continue
        fewest, most, draw = _KINDS[kind]
        for _ in range(int(rng.integers(fewest, most + 1))):
            centre = place_uniformly(rng, anatomy, grid)
            part, where = grid.crop(centre, REACH)
            cover, hounsfield = draw(rng, part, centre)
            found.append(Opacity(kind, where, cover * lung[where], hounsfield))
    return tuple(found)


def place_uniformly(rng: np.random.Generator, anatomy: Anatomy, grid: Grid) -> Point:
    """A point uniform over the area of both lungs inside the field of view, in mm."""
    span = np.array([[anatomy.half_width], [anatomy.half_depth]])
    size = len(grid.u)
    while True:
        x, y = (rng.uniform(-1.25, 1.25, (2, 64)) * span).astype(np.float32)
        place = np.stack(grid.to_pixels(x, y)) / size
        seen = (place > 0.02).all(0) & (place < 0.98).all(0)
        inside = np.flatnonzero(seen & (anatomy.lung_distance(x, y) < -MARGIN))
        if len(inside):
            return float(x[inside[0]]), float(y[inside[0]])


def _ground_glass(rng: np.random.Generator, grid: Grid, centre: Point) -> tuple[Field, Field]:
    """A hazy patch of 20 to 55 mm: an irregular edge, a net of thin septa."""
    radii = rng.uniform(12, 24) * np.exp(rng.normal(0, 0.2, 2))
    edge = _blob(rng, grid, centre, radii, rough=0.3, length=(10, 40))
    texture = 35 * grid.waves(rng, length=(6, 14), count=4)
    net = np.abs(grid.waves(rng, length=(14, 24), count=9))
    septa = np.float32(rng.uniform(60, 300)) * coverage(net * 4 - 0.5, 1.5)
    return ramp(edge, 1.2, 0.75), np.float32(rng.uniform(-540, -370)) + texture + septa


def _consolidation(rng: np.random.Generator, grid: Grid, centre: Point) -> tuple[Field, Field]:
    """A dense patch of 14 to 34 mm with a ragged edge; open bronchi run through some."""
    radii = rng.uniform(8, 14) * np.exp(rng.normal(0, 0.25, 2))
    edge = _blob(rng, grid, centre, radii, rough=0.3, length=(9, 30))
    bronchi = coverage(np.abs(grid.waves(rng, length=(24, 44), count=3)) * 9 - 0.6, 1.5)
    air = np.float32(rng.uniform(0, 350)) * bronchi
    return ramp(edge, 1.15, 0.85), np.float32(rng.uniform(-50, 50)) - air


def _nodule(rng: np.random.Generator, grid: Grid, centre: Point) -> tuple[Field, Field]:
    """A round, slightly lobed opacity of 10 to 20 mm."""
    radii = rng.uniform(5, 10) * np.exp(rng.normal(0, 0.08, 2))
    edge = _blob(rng, grid, centre, radii, rough=0.1, length=(8, 20))
    soft = 0.5 * grid.pixel / float(radii.mean()) + 0.06
    return ramp(edge, 1 + soft, 1 - soft), np.full_like(edge, rng.uniform(-80, 60))


def _blob(
    rng: np.random.Generator,
    grid: Grid,
    centre: Point,
    radii: NDArray[np.float64],
    *,
    rough: float,
    length: tuple[float, float],
) -> Field:
    """Distance from a centre in radii of a turned ellipse, roughened; 1 is the edge."""
    turn = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    u = (dx * cos + dy * sin) / np.float32(radii[0])
    v = (dy * cos - dx * sin) / np.float32(radii[1])
    rho = length_of(u, v)
    ripple = np.float32(rough) * grid.waves(rng, length=length, count=8)
    return rho + ripple * np.minimum(rho, 1)


# How far inside the lungs a centre lies at least, mm.
MARGIN = 4.0
# The furthest any lesion reaches from its centre, mm.
REACH = 64.0
_KINDS: Mapping[
    str, tuple[int, int, Callable[[np.random.Generator, Grid, Point], tuple[Field, Field]]]
] = MappingProxyType(
    {
        "ground-glass": (2, 5, _ground_glass),
        "consolidation": (2, 5, _consolidation),
        "nodule": (3, 6, _nodule),
    }
)
