"""Draws the patients of the phantom: places and sizes of organs, all varied.

Sizes are those of adults, from textbooks of cross-sectional anatomy, rounded; nothing here is
fitted to any patient. Lengths are millimetres in the frame of ``anatomy``.
"""

from __future__ import annotations

import numpy as np

from medistill.data.phantom.anatomy import ANGLES, Anatomy, Organ, Point
from medistill.data.phantom.shapes import Field


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient and a level."""
    level = float(rng.uniform(0.05, 0.93))
    half_width = rng.uniform(118, 150) * (0.8 + 0.2 * min(1.0, level / 0.35))
    half_depth = half_width * rng.uniform(0.72, 0.88)
    spine = (float(rng.normal(0, 3)), half_depth * rng.uniform(0.62, 0.74))
    blood = float(rng.choice([42.0, rng.uniform(90, 260)]))
    organs = _organs(rng, level=level, spine=spine, blood=blood)
    return Anatomy(
        level=level,
        half_width=half_width,
        half_depth=half_depth,
        cage=_cage(rng, half_width, half_depth),
        wall=_wall(rng, level),
        fat=_fat(rng, level),
        back=half_depth + float(rng.uniform(30, 44)),
        spine=spine,
        spine_radius=float(rng.uniform(15, 19)),
        band=(float(rng.uniform(2, 13)), float(rng.uniform(13, 20))),
        organs=organs,
        airways=_airways(rng, level=level, spine=spine),
        hila=_hila(rng, level=level, spine=spine),
        blood=blood,
    )


def _cage(rng: np.random.Generator, half_width: float, half_depth: float) -> Field:
    """A superellipse with a few low harmonics, so that no two chests and no two sides agree."""
    power = rng.uniform(2.0, 2.5)
    cos, sin = np.abs(np.cos(ANGLES)), np.abs(np.sin(ANGLES))
    radius = ((cos / half_width) ** power + (sin / half_depth) ** power) ** (-1 / power)
    for harmonic, size in ((1, 0.025), (2, 0.02), (3, 0.018), (4, 0.012), (5, 0.006)):
        radius *= 1 + rng.normal(0, size) * np.cos(harmonic * ANGLES + rng.uniform(0, 6.28))
    radius[-1] = radius[0]
    return radius.astype(np.float32)


def _bump(centre: float, width: float) -> Field:
    """Bell over the angle, 1 at ``centre``; both in radians."""
    gap = np.angle(np.exp(1j * (ANGLES - centre)))
    bell: Field = np.exp(-0.5 * (gap / width) ** 2).astype(np.float32)
    return bell


def _wall(rng: np.random.Generator, level: float) -> Field:
    """Ribs and muscles: thick beside the spine, at the pectorals and at the shoulder blades."""
    upper = max(0.0, 1 - level / 0.6)
    wall = np.full(ANGLES.shape, rng.uniform(13, 18), np.float32)
    for side in (1, -1):
        wall += rng.uniform(14, 24) * _bump(np.pi / 2 + side * 0.35, 0.2)
        wall += rng.uniform(4, 14) * (0.4 + upper) * _bump(-np.pi / 2 + side * 0.75, 0.3)
        wall += rng.uniform(4, 10) * (0.5 + 2 * upper) * _bump(np.pi / 2 + side * 1.15, 0.35)
    return wall


def _fat(rng: np.random.Generator, level: float) -> Field:
    """Subcutaneous fat, thicker in front and at the sides; breasts in some patients."""
    fat = np.full(ANGLES.shape, rng.uniform(3, 22), np.float32)
    fat *= 1 + rng.uniform(0, 0.5) * np.cos(2 * ANGLES).astype(np.float32)
    if rng.random() < 0.4 and level > 0.3:
        size = rng.uniform(10, 35)
        for side in (1, -1):
            fat += size * rng.uniform(0.85, 1.15) * _bump(-np.pi / 2 + side * 0.7, 0.3)
    return fat


def _organs(
    rng: np.random.Generator, *, level: float, spine: Point, blood: float
) -> tuple[Organ, ...]:
    """The organs that a slice at this level meets, their places and sizes varied."""
    found = [_descending_aorta(rng, spine, blood)] if level > 0.22 else []
    if level < 0.3:
        found += _arch(rng, level, spine, blood)
    elif level < 0.55:
        found += _great_vessels(rng, blood)
    else:
        found += _heart(rng, level, blood)
    if level > 0.75:
        found += _domes(rng, level)
    return tuple(found)


def _organ(
    rng: np.random.Generator,
    centre: Point,
    radii: tuple[float, float],
    turn: float,
    hounsfield: float,
) -> Organ:
    """An organ about a textbook place, moved by some 3 mm and scaled by some 8 %."""
    scale = np.exp(rng.normal(0, 0.08, 2))
    return Organ(
        (centre[0] + rng.normal(0, 3), centre[1] + rng.normal(0, 3)),
        (radii[0] * scale[0], radii[1] * scale[1]),
        turn + rng.normal(0, 0.12),
        hounsfield,
    )


def _descending_aorta(rng: np.random.Generator, spine: Point, blood: float) -> Organ:
    return _organ(rng, (spine[0] + 24, spine[1] - 16), (12.5, 12.5), 0, blood)


def _arch(rng: np.random.Generator, level: float, spine: Point, blood: float) -> list[Organ]:
    """Above: three branches and two veins; at the arch itself an oblique sausage."""
    if level < 0.15:
        places = [(-14, -22, 6), (6, -26, 5), (17, -12, 5), (-24, -30, 7), (18, -34, 6)]
        return [_organ(rng, (px, py), (r, r), 0, blood) for px, py, r in places]
    return [
        _organ(rng, (9, -4), (38, 13), 0.85, blood),
        _organ(rng, (-24, -24), (9, 10), 0, blood),
        _organ(rng, (-4, -42), (14, 8), 0, -80),
    ]


def _great_vessels(rng: np.random.Generator, blood: float) -> list[Organ]:
    """Ascending aorta, pulmonary trunk with its right branch, superior vena cava."""
    return [
        _organ(rng, (0, -42), (26, 14), 0, -85),
        _organ(rng, (-12, -24), (17, 17), 0, blood),
        _organ(rng, (17, -22), (15, 20), 0.3, blood * 1.05),
        _organ(rng, (-14, -2), (27, 8), 0.1, blood * 1.05),
        _organ(rng, (-31, -16), (9, 11), 0, blood * 0.9),
        _organ(rng, (34, 0), (15, 10), 0.5, blood),
        _organ(rng, (-38, 4), (10, 11), 0.0, blood),
    ]


def _heart(rng: np.random.Generator, level: float, blood: float) -> list[Organ]:
    """Muscle and two chambers in a bag of fat, larger and further left towards its apex."""
    size = (0.82 + 0.3 * min(1.0, (level - 0.55) / 0.25)) * rng.uniform(0.85, 1.15)
    place = (float(rng.normal(16, 6)), float(rng.normal(-22, 5)))
    turn = float(rng.normal(0.55, 0.15))
    muscle = 45 + 0.4 * (blood - 42)

    def part(dx: float, dy: float, rx: float, ry: float, hounsfield: float) -> Organ:
        centre = (place[0] + dx * size, place[1] + dy * size)
        return _organ(rng, centre, (rx * size, ry * size), turn, hounsfield)

    return [
        part(0, 0, 60, 45, -85),
        part(3, 2, 55, 40, muscle),
        part(-24, -8, 24, 22, blood),
        part(22, 10, 28, 18, blood * 1.03),
        part(-8, 24, 24, 13, blood),
    ]


def _domes(rng: np.random.Generator, level: float) -> list[Organ]:
    """Liver below the right lung, and lower still the left dome."""
    rise = (level - 0.75) / 0.22
    right = rise * rng.uniform(0.5, 1.1)
    found = [_organ(rng, (-66, -8), (26 + 30 * right, 24 + 34 * right), 0.2, rng.uniform(50, 110))]
    if rise > 0.5:
        left = (rise - 0.5) * rng.uniform(0.6, 1.4)
        found.append(_organ(rng, (72, -14), (24 + 26 * left, 22 + 24 * left), 0, 45))
    return found


def _airways(rng: np.random.Generator, *, level: float, spine: Point) -> tuple[Organ, ...]:
    """Trachea above its bifurcation, main bronchi below it, none near the diaphragm."""
    depth = spine[1] - 36
    if level < 0.34:
        return (_organ(rng, (spine[0] - 3, depth), (8.5, 9), 0, -995),)
    if level < 0.4:
        return (_organ(rng, (spine[0] - 2, depth + 2), (15, 7.5), 0, -995),)
    if level < 0.58:
        drift = (level - 0.4) * 70
        return (
            _organ(rng, (spine[0] - 16 - drift, depth + 3 + drift * 0.3), (8, 6.5), 0.5, -990),
            _organ(rng, (spine[0] + 14 + drift, depth + 4 + drift * 0.3), (9, 6), -0.4, -990),
        )
    return ()


def _hila(rng: np.random.Generator, *, level: float, spine: Point) -> tuple[Point, Point]:
    """The roots of the lungs, beside the mediastinum and before the spine."""
    depth, reach = spine[1] - 38 + 14 * level, 32 + 16 * min(1.0, level / 0.45)
    right, left = rng.normal(0, 4, 2), rng.normal(0, 4, 2)
    return (
        (-reach + float(right[0]), depth + float(right[1])),
        (reach + 2 + float(left[0]), depth + float(left[1])),
    )
