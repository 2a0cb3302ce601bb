"""One patient of the phantom: where the organs lie in one axial slice.

Lengths are millimetres in a frame whose origin is the middle of the rib cage, x to the patient's
left (right in the picture), y to the back. ``level`` runs from 0 (below the apices) to 1 (the
domes of the diaphragm) and decides which organs the slice meets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from medistill.data.phantom.shapes import Field, blend, capsule, ellipse, length_of

Point = tuple[float, float]
# How softly the parts of the mediastinum run into each other, mm.
MEDIASTINUM_BLEND = 9.0
ANGLES = np.linspace(-np.pi, np.pi, 361, dtype=np.float32)


@dataclass(frozen=True)
class Organ:
    """An ellipse of one tissue: a heart chamber, a great vessel, the liver dome."""

    centre: Point
    radii: tuple[float, float]
    turn: float
    hounsfield: float

    def distance(self, x: Field, y: Field) -> Field:
        """Signed distance in mm."""
        return ellipse(x, y, self.centre, self.radii, self.turn)

    @property
    def reach(self) -> float:
        """How far it extends from its centre, mm."""
        return max(self.radii)


@dataclass(frozen=True)
class Rod:
    """A straight piece of the mediastinum, as wide as ``radii`` at its ends."""

    start: Point
    end: Point
    radii: tuple[float, float]

    @property
    def centre(self) -> Point:
        """Its middle."""
        return (self.start[0] + self.end[0]) / 2, (self.start[1] + self.end[1]) / 2

    @property
    def reach(self) -> float:
        """How far it extends from its centre, mm."""
        half = math.dist(self.start, self.end) / 2
        return half + max(self.radii)

    def distance(self, x: Field, y: Field) -> Field:
        """Signed distance in mm."""
        return capsule(x, y, self.start, self.end, self.radii)


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Every drawn length of one patient.

    Attributes:
        level: height of the slice, 0 at the apices, 1 at the diaphragm.
        half_width: of the rib cage, mm.
        half_depth: of the rib cage, mm.
        cage: radius of the inner rib cage for each of ``ANGLES``, mm.
        wall: thickness of muscle outside the rib cage for each of ``ANGLES``, mm.
        fat: thickness of subcutaneous fat for each of ``ANGLES``, mm.
        back: depth of the back, which the table flattens, mm.
        spine: centre of the vertebral body.
        spine_radius: of the vertebral body, mm.
        band: half widths of the mediastinum at the sternum and before the spine, mm.
        organs: heart, great vessels and diaphragm, painted in this order.
        airways: lumens (trachea or main bronchi) inside the mediastinum.
        hila: where the vessels enter the right and the left lung.
        blood: HU of blood, above 45 with contrast medium.
    """

    level: float
    half_width: float
    half_depth: float
    cage: Field
    wall: Field
    fat: Field
    back: float
    spine: Point
    spine_radius: float
    band: tuple[float, float]
    organs: tuple[Organ, ...]
    airways: tuple[Organ, ...]
    hila: tuple[Point, Point]
    blood: float

    @cached_property
    def body(self) -> Field:
        """Radius of the skin for each of ``ANGLES``, mm."""
        round_ = self.cage + self.wall + self.fat
        flat = self.back / np.maximum(np.sin(ANGLES), np.float32(1e-3))
        return blend([round_, np.where(ANGLES > 0, flat, 1e3).astype(np.float32)], 14.0)

    def cage_distance(self, x: Field, y: Field) -> Field:
        """Distance to the inner rib cage along the ray from its middle, mm."""
        radius = np.interp(np.arctan2(y, x), ANGLES, self.cage).astype(np.float32)
        return length_of(x, y) - radius

    @cached_property
    def mediastinum(self) -> tuple[Organ | Rod, ...]:
        """The shapes whose smooth union lies between the lungs."""
        (sx, sy), (front, back), r = self.spine, self.band, self.spine_radius
        neck = (sx, sy * 0.35)
        rods = (
            Rod((sx * 0.5, -self.half_depth), neck, (front, back)),
            Rod(neck, (sx, sy), (back, r + 2)),
            Rod((sx, sy), (sx, sy + 40), (r + 2, r)),
        )
        grown = (replace(o, radii=(o.radii[0] + 1.5, o.radii[1] + 1.5)) for o in self.organs)
        return (*rods, *grown)

    def outside_mediastinum(self, cage: Field, middle: Field) -> Field:
        """Distance to the lungs from those to the rib cage and to the mediastinum, mm."""
        return -blend([-(cage + np.float32(2.5)), middle], 7.0)

    def lung_distance(self, x: Field, y: Field) -> Field:
        """Signed distance of points to the lungs, negative inside, mm."""
        shapes = [shape.distance(x, y) for shape in self.mediastinum]
        return self.outside_mediastinum(self.cage_distance(x, y), blend(shapes, MEDIASTINUM_BLEND))
