"""Paints a patient of the phantom in Hounsfield units: the wall, the bones, the mediastinum."""

from __future__ import annotations

import numpy as np

from medistill.data.phantom.anatomy import ANGLES, Anatomy
from medistill.data.phantom.grid import Grid
from medistill.data.phantom.shapes import (
    Field,
    blend,
    capsule,
    coverage,
    disc,
    ellipse,
    length_of,
    paint,
    ramp,
)

AIR, FAT, MUSCLE, SPONGY = -1000.0, -100.0, 52.0, 190.0


def paint_wall(rng: np.random.Generator, anatomy: Anatomy, grid: Grid) -> tuple[Field, Field]:
    """Paint air, table, skin, fat, muscle and ribs.

    Returns:
        The picture in HU and the distance to the inner rib cage in mm, both (S, S).
    """
    angle, rho = np.arctan2(grid.y, grid.x), length_of(grid.x, grid.y)
    cage, wall, body = (
        np.interp(angle, ANGLES, curve).astype(np.float32)
        for curve in (anatomy.cage, anatomy.wall, anatomy.body)
    )
    cage, skin = rho - cage, rho - body
    picture = np.full(grid.x.shape, AIR, np.float32)
    _paint_table(rng, anatomy, grid, picture)
    _paint_blanket(rng, grid, skin, picture)
    paint(picture, 25.0, coverage(skin, grid.edge))
    fat = FAT + 12 * grid.waves(rng, length=(9, 40), count=4)
    paint(picture, fat, coverage(skin + 2, grid.edge))
    muscle = np.maximum(cage - wall, skin + 4)
    paint(picture, MUSCLE, coverage(muscle, 2 * grid.edge))
    depth = np.float32(rng.uniform(11, 15))
    plane = coverage(np.abs(cage - depth) - 0.6, grid.edge) * ramp(muscle, -2.0, -6.0)
    picture -= plane * np.float32(rng.uniform(30, 120))
    _paint_ribs(rng, anatomy, grid, angle, cage, picture)
    return picture, cage


def _paint_table(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, picture: Field) -> None:
    """Foam, and the thin curved shell below it; out of the field of view in many pictures."""
    bottom = np.float32(float(anatomy.body[270]) + rng.uniform(3, 12))
    curve = grid.y - bottom + np.float32(rng.uniform(1e-4, 9e-4)) * grid.x * grid.x
    foam = np.float32(rng.uniform(0, 55))
    paint(picture, rng.uniform(-970, -520), coverage(np.abs(curve + foam) - foam, 2 * grid.edge))
    paint(picture, rng.uniform(-700, -300), coverage(np.abs(curve) - 1.5, grid.edge))


def _paint_blanket(rng: np.random.Generator, grid: Grid, skin: Field, picture: Field) -> None:
    """Cloth over the patient, in loose folds; none in some."""
    loose = np.float32(rng.uniform(1, 9)) * (1 + 0.5 * grid.waves(rng, length=(30, 120), count=4))
    half = max(0.0, float(rng.uniform(-3, 9)))
    cloth = coverage(np.abs(skin - np.abs(loose) - half) - half, 1.5 * grid.edge)
    cloth *= ramp(grid.y, 30, -30) * np.float32(min(1.0, half))
    paint(picture, float(rng.uniform(-960, -350)), cloth)


def _paint_ribs(
    rng: np.random.Generator,
    anatomy: Anatomy,
    grid: Grid,
    angle: Field,
    cage: Field,
    picture: Field,
) -> None:
    """Ribs cross the slice obliquely: arcs of bright ovals along the cage, cortex round marrow."""
    count = 2 * int(rng.integers(6, 10))
    gap = 2 * np.pi / count
    first = rng.uniform(0, gap)
    turn = -np.pi + first + gap * (np.arange(count) + rng.normal(0, 0.16, count))
    half = np.minimum(rng.gamma(3.0, 4.5, count) + 2, 0.33 * gap * anatomy.half_width)
    depth, slope = rng.uniform(4.5, 8, count), rng.normal(0, 0.16, count)
    radius = rng.uniform(2.6, 4.4, count)
    turn, half, depth, slope, radius = np.stack([turn, half, depth, slope, radius]).astype("f4")
    nearest = np.rint((angle + np.pi - first) / gap).astype(np.intp) % count
    arc = (angle - turn[nearest] + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi)
    along = arc * np.float32(0.5 * (anatomy.half_width + anatomy.half_depth))
    past = np.maximum(np.abs(along) - half[nearest], 0)
    bone = length_of(past, cage - depth[nearest] - slope[nearest] * along) - radius[nearest]
    _paint_bone(picture, bone, grid, cortex=rng.uniform(400, 800))


def _paint_bone(picture: Field, distance: Field, grid: Grid, *, cortex: float) -> None:
    """A shell of cortex, some 1.8 mm, round spongy bone."""
    paint(picture, cortex, coverage(distance, grid.edge))
    paint(picture, SPONGY, 0.85 * coverage(distance + np.float32(1.8), 1.5 * grid.edge))


def paint_mediastinum(
    rng: np.random.Generator, anatomy: Anatomy, grid: Grid, picture: Field, cage: Field
) -> None:
    """Fill the cage with fat, then paint the organs and the gullet."""
    paint(picture, rng.uniform(-60, 30), coverage(cage + np.float32(1.5), grid.edge))
    for organ in anatomy.organs:
        part, where = grid.crop(organ.centre, max(organ.radii) + 6)
        distance = organ.distance(part.x, part.y)
        paint(picture[where], organ.hounsfield, coverage(distance, 1.5 * grid.edge))
    gullet = (
        anatomy.spine[0] + float(rng.normal(4, 3)),
        anatomy.spine[1] - 23 + float(rng.normal(0, 2)),
    )
    part, where = grid.crop(gullet, 12)
    distance = disc(part.x, part.y, gullet, 7.0)
    paint(picture[where], 40.0, coverage(distance, grid.edge))
    if rng.random() < 0.3:
        paint(picture[where], -800.0, coverage(distance + 5, grid.edge))


def paint_airways(anatomy: Anatomy, grid: Grid, picture: Field) -> None:
    """Trachea or main bronchi: air inside a thin wall."""
    for airway in anatomy.airways:
        part, where = grid.crop(airway.centre, max(airway.radii) + 8)
        distance = airway.distance(part.x, part.y)
        paint(picture[where], 30.0, coverage(distance - np.float32(1.8), grid.edge))
        paint(picture[where], airway.hounsfield, coverage(distance, grid.edge))


def paint_bones(rng: np.random.Generator, anatomy: Anatomy, grid: Grid, picture: Field) -> None:
    """Paint the sternum, the vertebra and, high up, the shoulder blades."""
    cortex = float(rng.uniform(450, 850))
    middle = (anatomy.spine[0] * 0.5, -float(anatomy.cage[90]) - 8)
    part, where = grid.crop(middle, 34)
    sternum = ellipse(part.x, part.y, middle, (rng.uniform(14, 24), 6.0))
    _paint_bone(picture[where], sternum, grid, cortex=cortex * 0.8)
    if anatomy.level < 0.55:
        for side in (1, -1):
            _paint_blade(rng, anatomy, grid, picture, side)
    _paint_vertebra(rng, anatomy, grid, picture, cortex)


def _paint_blade(
    rng: np.random.Generator, anatomy: Anatomy, grid: Grid, picture: Field, side: int
) -> None:
    """A shoulder blade: a thin rod behind the ribs."""
    start, stop = 0.62 + rng.normal(0, 0.06), 1.15 + rng.normal(0, 0.06)
    ends = []
    for offset, gap in ((start, 13.0), (stop, 17.0)):
        theta = np.pi / 2 - side * offset
        radius = float(np.interp(theta, ANGLES, anatomy.cage)) + gap
        ends.append((radius * float(np.cos(theta)), radius * float(np.sin(theta))))
    middle = ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2)
    part, where = grid.crop(middle, 75)
    blade = capsule(part.x, part.y, ends[0], ends[1], (2.0, rng.uniform(2.5, 5.5)))
    _paint_bone(picture[where], blade, grid, cortex=650)


def _paint_vertebra(
    rng: np.random.Generator, anatomy: Anatomy, grid: Grid, picture: Field, cortex: float
) -> None:
    """Body, ring, transverse and spinous processes; the canal cut out."""
    (sx, sy), r = anatomy.spine, anatomy.spine_radius
    part, where = grid.crop((sx, sy + 20), 72)
    x, y, edge = part.x, part.y, grid.edge
    back = sy + r + 7.5
    tip = (sx + float(rng.normal(0, 2)), back + float(rng.uniform(20, 30)))
    reach = float(rng.uniform(24, 33))
    shapes = [np.abs(disc(x, y, (sx, back), 10.0)) - np.float32(2.6)]
    shapes.append(capsule(x, y, (sx, back + 9), tip, (4.0, 2.5)))
    for s in (1, -1):
        shapes.append(capsule(x, y, (sx + s * 9, back + 1), (sx + s * reach, back + 7), (4.6, 3.6)))
    picture = picture[where]
    _paint_bone(picture, blend(shapes, 4.0), grid, cortex=cortex)
    body = ellipse(x, y, (sx, sy), (r, r * 0.86))
    paint(picture, cortex * 0.75, coverage(body, edge))
    grain = SPONGY + 25 * part.waves(rng, length=(4, 9), count=4)
    paint(picture, grain, coverage(body + np.float32(1.6), 1.5 * edge))
    paint(picture, 32.0, coverage(disc(x, y, (sx, back), 7.6), edge))
