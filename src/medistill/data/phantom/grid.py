"""Where the pixels of a phantom lie in its patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medistill.data.phantom.anatomy import MEDIASTINUM_BLEND, Anatomy, Point
from medistill.data.phantom.shapes import Field, blend

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Grid:
    """Where each pixel lies in the patient.

    Attributes:
        u: (W,) float32, mm along the rows, before the patient is turned.
        v: (H,) float32, mm down the columns, before the patient is turned.
        pixel: side of a pixel, mm.
        turn: rotation of the patient, rad.
        centre: pixel position (column, row) of the patient's origin.
    """

    u: Field
    v: Field
    pixel: float
    turn: float
    centre: tuple[float, float]

    @cached_property
    def x(self) -> Field:
        """(H, W) mm towards the patient's left."""
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        return self.u[None, :] * cos + self.v[:, None] * sin

    @cached_property
    def y(self) -> Field:
        """(H, W) mm towards the patient's back."""
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        return self.v[:, None] * cos - self.u[None, :] * sin

    @property
    def edge(self) -> float:
        """Width in mm over which an edge is blurred: a pixel, or the scanner's limit."""
        return max(self.pixel, 1.0)

    def to_pixels(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Column and row of points in the patient, in pixels from the picture's corner."""
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        column = (x * cos - y * sin) / np.float32(self.pixel) + np.float32(self.centre[0])
        row = (x * sin + y * cos) / np.float32(self.pixel) + np.float32(self.centre[1])
        return column, row

    def crop(self, centre: Point, reach: float) -> tuple[Grid, Window]:
        """The part of the grid within ``reach`` mm of a point, and where it lies.

        Returns:
            The smaller grid, which may be empty, and the slices that cut it out of a picture.
        """
        column, row = self.to_pixels(*np.array([[centre[0]], [centre[1]]]))
        far = reach / self.pixel + 1.5
        height, width = len(self.v), len(self.u)
        where = (_span(row.item(), far, height), _span(column.item(), far, width))
        moved = (self.centre[0] - where[1].start, self.centre[1] - where[0].start)
        return Grid(self.u[where[1]], self.v[where[0]], self.pixel, self.turn, moved), where

    def waves(
        self, rng: np.random.Generator, *, length: tuple[float, float], count: int = 6
    ) -> Field:
        """Smooth random field of unit variance, (H, W): plane waves of random course and phase.

        Each wave is a product of a row and a column (the addition theorem of the sine), so their
        sum is one small matrix product.

        Args:
            rng: where the draws come from; their number does not depend on the grid.
            length: shortest and longest wavelength in mm.
            count: number of waves.
        """
        course = rng.uniform(0, 2 * np.pi, count)
        number = 2 * np.pi / rng.uniform(length[0], length[1], count)
        phase = rng.uniform(0, 2 * np.pi, count)
        along = (number * np.cos(course + self.turn))[None, :] * self.u[:, None]
        down = (number * np.sin(course + self.turn))[None, :] * self.v[:, None] + phase
        rows = np.concatenate([np.sin(down), np.cos(down)], axis=1).astype(np.float32)
        columns = np.concatenate([np.cos(along), np.sin(along)], axis=1).astype(np.float32)
        total: Field = rows @ columns.T
        return total * np.float32(np.sqrt(2 / count))


def _span(middle: float, far: float, length: int) -> slice:
    """Indices within ``far`` of ``middle``, inside ``[0, length)``."""
    start = min(max(int(middle - far), 0), length)
    return slice(start, max(start, min(int(middle + far) + 1, length)))


def draw_grid(rng: np.random.Generator, anatomy: Anatomy, size: int) -> Grid:
    """Draw the field of view: zoom, shift and a slight rotation, independent of the grid's size."""
    width = 2 * float(anatomy.body[[0, 180, 360]].max())
    pixel = width * float(rng.uniform(0.84, 1.14)) / size
    turn = float(rng.normal(0, 0.05))
    column, row = (rng.normal(0, 0.018, 2) + (0.5, 0.48)) * size
    steps = np.arange(size, dtype=np.float32) + np.float32(0.5)
    u, v = ((steps - np.float32(middle)) * np.float32(pixel) for middle in (column, row))
    return Grid(u, v, pixel, turn, (float(column), float(row)))


def lung_distance(anatomy: Anatomy, grid: Grid, cage: Field) -> Field:
    """``Anatomy.lung_distance`` on a grid, in mm, exact within some 12 mm of the mediastinum.

    Args:
        anatomy: the patient.
        grid: the field of view.
        cage: (H, W) distance to the inner rib cage, mm.
    """
    middle = np.full(cage.shape, 1e3, np.float32)
    for shape in anatomy.mediastinum:
        part, where = grid.crop(shape.centre, shape.reach + 12)
        middle[where] = blend([middle[where], shape.distance(part.x, part.y)], MEDIASTINUM_BLEND)
    return anatomy.outside_mediastinum(cage, middle)
