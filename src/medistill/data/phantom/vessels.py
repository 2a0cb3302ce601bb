"""Vessels of the phantom's lungs: branching trees, and the cross-sections a thin slice shows.

A branch of radius r divides into r1 and r2 with ``r^3 = r1^3 + r2^3`` (Murray, "The physiological
principle of minimum work", 1926), so the calibre falls with depth. Trees grow in three dimensions;
what leaves the slab fades out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medistill.data.phantom.anatomy import Anatomy
from medistill.data.phantom.grid import Grid
from medistill.data.phantom.shapes import Field

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strokes:
    """Straight pieces of vessel: (N, 2) ends in mm, (N,) radii in mm and opacity in [0, 1]."""

    start: Floats
    end: Floats
    radius: Floats
    opacity: Floats


def draw_vessels(rng: np.random.Generator, anatomy: Anatomy) -> tuple[Strokes, ...]:
    """Draw the trees and the scattered cross-sections of both lungs."""
    return _trees(rng, anatomy), _sections(rng, anatomy)


def _trees(rng: np.random.Generator, anatomy: Anatomy) -> Strokes:
    """Grow all trunks of both lungs together, generation by generation."""
    trunks = int(rng.integers(4, 8))
    count = 2 * trunks
    fan = np.tile(np.linspace(-1.3, 1.3, trunks), 2) + rng.normal(0, 0.25, count)
    heading = np.repeat([np.pi, 0.0], trunks) + fan
    hila = np.repeat(np.array(anatomy.hila), trunks, axis=0)
    point = np.column_stack([hila + rng.normal(0, 5, hila.shape), rng.normal(0, 7, count)])
    radius = rng.uniform(1.6, 3.0) * rng.uniform(0.75, 1.25, count)
    tilt = rng.normal(0, 0.7, count)
    slab, found = rng.uniform(1.5, 6), []
    for _ in range(7):
        for _ in range(3):
            heading, tilt = heading + rng.normal(0, 0.15, heading.shape), tilt * 0.95
            length = (4.5 + 1.5 * radius) * rng.uniform(0.7, 1.3, radius.shape)
            step = np.column_stack(
                [np.cos(heading) * np.cos(tilt), np.sin(heading) * np.cos(tilt), np.sin(tilt)]
            )
            ahead = point + step * length[:, None]
            found.append(np.column_stack([point, ahead, radius]))
            point, radius = ahead, radius * 0.95
        point, heading, tilt, radius = _divide(rng, anatomy, point, heading, tilt, radius)
    return _visible(np.concatenate(found), slab)


def _visible(pieces: Floats, slab: float) -> Strokes:
    """What lies in the slab, mm thick; (N, 7) start, end and radius. Thick vessels show further."""
    start, end, radius = pieces[:, :3], pieces[:, 3:6], pieces[:, 6]
    height = np.abs(start[:, 2] + end[:, 2]) / 2
    opacity = np.clip(1.4 - height / (slab + radius), 0, 1)
    seen = opacity > 0.05
    return Strokes(start[seen, :2], end[seen, :2], radius[seen], opacity[seen])


def _divide(
    rng: np.random.Generator,
    anatomy: Anatomy,
    point: Floats,
    heading: Floats,
    tilt: Floats,
    radius: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Split each branch by Murray's law; drop what is hair-thin or has left the lungs."""
    share = rng.uniform(0.5, 0.88, radius.shape)
    side = rng.choice([-1.0, 1.0], radius.shape)
    turn = rng.uniform(0.35, 0.95, radius.shape)
    point = np.concatenate([point, point])
    heading = np.concatenate([heading + side * turn * (1 - share), heading - side * turn * share])
    tilt = np.concatenate([tilt, tilt]) + rng.normal(0, 0.5, point.shape[0])
    radius = np.concatenate([radius * np.cbrt(share), radius * np.cbrt(1 - share)])
    position = point.astype(np.float32)
    inside = anatomy.cage_distance(position[:, 0], position[:, 1]) < -4
    keep = (radius > 0.35) & inside & (np.abs(point[:, 2]) < 25)
    return point[keep], heading[keep], tilt[keep], radius[keep]


def _sections(rng: np.random.Generator, anatomy: Anatomy) -> Strokes:
    """Dots and dashes of vessels that cross the slice, thinner the further from the hilum."""
    count = int(rng.integers(60, 220))
    reach = np.array([anatomy.half_width, anatomy.half_depth])
    point = rng.uniform(-1, 1, (count, 2)) * reach
    hilum = np.where(point[:, :1] < 0, [anatomy.hila[0]], [anatomy.hila[1]])
    away = point - hilum
    distance = np.hypot(away[:, 0], away[:, 1])
    calibre = rng.uniform(1.8, 2.8) * np.exp(-distance / rng.uniform(40, 65))
    radius = np.clip(calibre * np.exp(rng.normal(0, 0.3, count)), 0.3, 3.4)
    heading = np.arctan2(away[:, 1], away[:, 0]) + rng.normal(0, 0.5, count)
    length = radius * rng.gamma(0.9, 4.0, count)
    step = np.column_stack([np.cos(heading), np.sin(heading)]) * length[:, None] / 2
    return Strokes(point - step, point + step, radius, rng.uniform(0.55, 1, count))


def render_strokes(strokes: tuple[Strokes, ...], grid: Grid) -> Field:
    """Coverage of each pixel by vessels, (S, S) in [0, 1], drawn finer and averaged.

    Pieces thinner than a sub-pixel are drawn one sub-pixel wide and fainter.
    """
    size = grid.x.shape[0]
    fine = max(2, math.ceil(512 / size))
    canvas = Image.new("L", (size * fine, size * fine))
    pen = ImageDraw.Draw(canvas)
    start, end = (np.concatenate([getattr(s, n) for s in strokes]) for n in ("start", "end"))
    width = 2 * np.concatenate([s.radius for s in strokes]) * fine / grid.pixel
    ink = np.concatenate([s.opacity for s in strokes]) * np.minimum(width, 1) * 255
    ends = [*grid.to_pixels(start[:, 0], start[:, 1]), *grid.to_pixels(end[:, 0], end[:, 1])]
    table = np.column_stack([*(fine * np.asarray(e) - 0.5 for e in ends), width, ink])
    for x0, y0, x1, y1, w, value in table[np.argsort(ink, kind="stable")].tolist():
        _stroke(pen, (x0, y0, x1, y1), w, round(value))
    return np.asarray(canvas.reduce(fine), np.float32) / np.float32(255)


def _stroke(
    pen: ImageDraw.ImageDraw, ends: tuple[float, float, float, float], width: float, ink: int
) -> None:
    """One piece with round ends."""
    x0, y0, x1, y1 = ends
    if abs(x1 - x0) + abs(y1 - y0) > 1:
        pen.line(ends, fill=ink, width=max(1, round(width)))
    if width > 3.5:
        r = width / 2
        pen.ellipse((x0 - r, y0 - r, x0 + r, y0 + r), fill=ink)
        pen.ellipse((x1 - r, y1 - r, x1 + r, y1 + r), fill=ink)
