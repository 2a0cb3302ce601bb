"""The phantom's healthy lung: density, gravity, patches, and what else is not a lesion.

All of it varies from patient to patient, independent of the class and by more than a lesion
changes the picture's mean or histogram, so that neither gives the class away.
"""

from __future__ import annotations

import numpy as np

from medistill.data.phantom.anatomy import Anatomy
from medistill.data.phantom.grid import Grid
from medistill.data.phantom.shapes import Field, coverage, length_of, ramp


def parenchyma(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, cage: Field) -> Field:
    """Healthy lung in HU, (S, S), within [-985, -100].

    Args:
        rng: where the draws come from.
        anatomy: the patient.
        grid: the field of view.
        cage: (S, S) distance to the inner rib cage, mm.
    """
    low = grid.y / np.float32(anatomy.half_depth)
    field = np.float32(rng.uniform(-905, -720)) + np.float32(rng.uniform(10, 130)) * low
    field += np.float32(rng.uniform(4, 28)) * grid.waves(rng, length=(40, 150), count=5)
    field += np.float32(rng.uniform(3, 14)) * grid.waves(rng, length=(7, 20), count=5)
    field += _collapse(rng, anatomy, grid, cage, low)
    field += _fissure(rng, anatomy, grid, 1) + _fissure(rng, anatomy, grid, -1)
    clipped: Field = np.clip(field, -985, -100)
    return clipped


def _collapse(
    rng: np.random.Generator, anatomy: Anatomy, grid: Grid, cage: Field, low: Field
) -> Field:
    """Dependent atelectasis: density along the pleura of the back, in many healthy sleepers."""
    sides = np.exp(rng.normal(0, 0.4, 2)).astype(np.float32)
    side = np.where(grid.x > np.float32(anatomy.spine[0]), sides[0], sides[1])
    most = rng.uniform(60, 420) if rng.random() < 0.6 else rng.uniform(0, 60)
    rough = 1 + np.float32(0.35) * grid.waves(rng, length=(12, 45), count=4)
    fall = np.exp(np.minimum(cage, 0) / np.float32(rng.uniform(4, 13)))
    density: Field = np.float32(most) * side * rough * fall * ramp(low, 0.2, 0.75)
    return density


def _fissure(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, side: int) -> Field:
    """The oblique fissure: a faint curved line where two lobes meet."""
    middle = (side * anatomy.half_width * rng.uniform(0.3, 1.2), anatomy.half_depth)
    height = rng.uniform(0.4, 1.6) * anatomy.half_depth
    gap = np.abs(length_of(grid.x - np.float32(middle[0]), grid.y - np.float32(middle[1])) - height)
    line = coverage(gap - np.float32(0.35), grid.edge + 0.6) * (grid.x * side > 0)
    return line * np.float32(rng.uniform(0, 260) * min(1.0, 1.2 / grid.edge))
