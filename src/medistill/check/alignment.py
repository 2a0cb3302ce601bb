"""How alike two small pictures are once one is shifted and scaled onto the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
#: Side of the pictures; what lies within ``_MARGIN`` of their border is not compared.
SIDE, _MARGIN = 32, 4
#: Farthest shift in pixels, largest change of scale, and steps to get there.
_FARTHEST, _SCALE, _STEPS = 4.0, 0.15, 4
_CHUNK = 512
_INNER = (slice(None), slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))


def aligned_likeness(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> Values:
    """Correlation of pairs of pictures after the best shift, scale, contrast and brightness.

    Gauss-Newton steps on the squared difference (Lucas and Kanade, 1981), from each picture of a
    pair to the other; the better of the two counts.

    Args:
        one: (P, 32, 32) gray of 8 bits.
        two: the same shape.

    Returns:
        (P,) in [-1, 1].
    """
    found = [
        np.maximum(_onto(a, b), _onto(b, a))
        for a, b in (
            (one[start : start + _CHUNK] / 255, two[start : start + _CHUNK] / 255)
            for start in range(0, len(one), _CHUNK)
        )
    ]
    return np.concatenate(found) if found else np.zeros(0)


def _onto(moving: Values, fixed: Values) -> Values:
    shift, scale = np.zeros((len(moving), 2)), np.zeros(len(moving))
    wanted = fixed[_INNER].reshape(len(fixed), -1)
    best = np.full(len(moving), -1.0)
    for step in range(_STEPS + 1):
        moved = _warped(moving, shift, scale)
        best = np.maximum(best, _correlation(moved[_INNER].reshape(len(moved), -1), wanted))
        if step < _STEPS:
            down, right, larger = _move(moved, wanted)
            shift = np.clip(shift + np.stack([down, right], axis=1), -_FARTHEST, _FARTHEST)
            scale = np.clip(scale + larger, -_SCALE, _SCALE)
    return best


def _warped(pictures: Values, shift: Values, scale: Values) -> Values:
    """Bilinear; separable, since nothing is turned. Outside, the border goes on."""
    rows, columns = (_weights(shift[:, axis], scale) for axis in (0, 1))
    return np.asarray(rows @ pictures @ columns.transpose(0, 2, 1))


def _weights(shift: Values, scale: Values) -> Values:
    centre = (SIDE - 1) / 2
    offsets = np.arange(SIDE) - centre
    places = np.clip(centre + (1 + scale)[:, None] * offsets + shift[:, None], 0, SIDE - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, :, None] - np.arange(SIDE))))


def _move(moved: Values, wanted: Values) -> tuple[Values, Values, Values]:
    """Shift down and right, and scale, that least squares ask for."""
    offsets = np.arange(SIDE) - (SIDE - 1) / 2
    down, right = np.gradient(moved, axis=1), np.gradient(moved, axis=2)
    larger = down * offsets[:, None] + right * offsets
    terms = [t[_INNER] for t in (moved, np.ones_like(moved), down, right, larger)]
    design = np.stack(terms, axis=-1).reshape(len(moved), -1, len(terms))
    turned = design.transpose(0, 2, 1)
    # The ridge only keeps flat pictures solvable.
    square = turned @ design + 1e-6 * np.eye(len(terms))
    contrast, _, *moves = np.linalg.solve(square, turned @ wanted[..., None])[..., 0].T
    usable = np.abs(contrast) > 0.2
    safe = np.where(usable, contrast, 1.0)
    found = [np.where(usable, move / safe, 0.0) for move in moves]
    return found[0], found[1], found[2]


def _correlation(one: Values, two: Values) -> Values:
    first, second = (v - v.mean(axis=1, keepdims=True) for v in (one, two))
    size = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(size, 1e-9))
