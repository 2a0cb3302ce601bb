"""Suspicion of burnt-in text: rows of small bright signs of one height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Signs in one row from which text is suspected.
FEWEST = 4
#: Of 255: signs have nine tenths of white at least, their surroundings 55 hundredths at most.
_LEAST, _DARK = 230, 140
_LOWEST, _HIGHEST = 4, 0.08


def letters(grays: NDArray[np.uint8]) -> list[int]:
    """Number of signs in the longest row of them of each picture; 0 below four.

    A sign is a connected bright region of letter size that stands out from its surroundings; a row
    are signs of about one height on one line, close to each other. Bone and noise rarely form rows.

    Args:
        grays: (N, H, W) of 8 bits.
    """
    return [_signs(*pair) for pair in zip(grays >= _LEAST, grays, strict=True)]


def _signs(bright: NDArray[np.bool_], gray: NDArray[np.uint8]) -> int:
    count = np.count_nonzero(bright)
    possible = FEWEST * _LOWEST <= count <= bright.size // 2
    return _longest_row(bright, gray) if possible and _can_hold_a_row(bright, gray) else 0


def _can_hold_a_row(bright: NDArray[np.bool_], gray: NDArray[np.uint8]) -> bool:
    """Whether two neighbouring lines each cross as many sharp edges as a row has signs, less one.

    Signs of one row differ by a pixel or a sixth of their height in where they end and by a pixel
    or a quarter in height, and have at least 4 pixels of it: at least two lines cross all of them.
    Ink begins within 2 pixels of dark, bone does not; the first sign may touch the border. To find
    signs is far dearer than to count edges, and few pictures need it.
    """
    edges = bright[:, 2:] > bright[:, 1:-1]
    edges &= gray[:, :-2] <= _DARK
    if np.count_nonzero(edges) < 2 * (FEWEST - 1):
        return False
    enough = edges.view(np.uint8).sum(axis=1, dtype=np.uint16) >= FEWEST - 1
    return bool((enough[1:] & enough[:-1]).any())


def _longest_row(bright: NDArray[np.bool_], gray: NDArray[np.uint8]) -> int:
    from scipy import ndimage

    labelled, count = ndimage.label(bright, structure=np.ones((3, 3)))
    if count < FEWEST or count > 20_000:
        return 0
    signs = [box for box in ndimage.find_objects(labelled) if _is_sign(box, gray)]
    longest = max((_row_length(sign, signs) for sign in signs[:400]), default=0)
    return longest if longest >= FEWEST else 0


def _is_sign(box: tuple[slice, slice], gray: NDArray[np.uint8]) -> bool:
    rows, columns = box
    height, width = rows.stop - rows.start, columns.stop - columns.start
    tallest = max(_LOWEST + 1, _HIGHEST * gray.shape[0])
    if not (_LOWEST <= height <= tallest and 1 <= width <= 1.6 * height):
        return False
    inside = gray[rows, columns]
    if inside.size and (inside >= _LEAST).mean() > 0.92 and width > 0.6 * height:
        return False  # a filled block is no letter
    top, left = max(0, rows.start - 2), max(0, columns.start - 2)
    around = gray[top : rows.stop + 2, left : columns.stop + 2]
    dark = around[around < _LEAST]
    return bool(dark.size) and float(np.median(dark)) <= _DARK


def _row_length(sign: tuple[slice, slice], signs: list[tuple[slice, slice]]) -> int:
    """Signs on the line of one, walking to the right while gaps stay small."""
    rows, columns = sign
    height = rows.stop - rows.start
    alike = sorted(
        (other[1].start, other[1].stop)
        for other in signs
        if abs(other[0].stop - rows.stop) <= max(1, height // 6)
        and abs((other[0].stop - other[0].start) - height) <= max(1, height // 4)
        and other[1].start >= columns.start
    )
    length, end = 0, columns.stop
    for start, stop in alike:
        if start - end > 1.5 * height:
            break
        length, end = length + 1, max(end, stop)
    return length
