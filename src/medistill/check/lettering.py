"""Suspicion of burnt-in text: rows of signs, sought where sharp edges are dense."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medistill.check.signs import longest_row

#: Signs in one row from which text is suspected.
FEWEST = 4
#: Every fourth line crosses letters of 6 pixels and more; edges are counted in this many columns.
_LINE, _WINDOW = 4, 16
#: An edge is a step of over 40 of 255 within two pixels; text has 8 such pixels in three windows.
_STEP, _DENSE = 40, 8
#: Letters reach so far around where their edges were counted.
_MARGIN = 8
#: Letters are no taller than this, nor than an eighth of the picture.
_TALLEST, _SHARE = 72, 8
_LEAST_SIDE = 16
Grays = NDArray[np.uint8]


def letters(grays: Grays) -> list[int]:
    """Number of signs in the longest row of them of each picture; 0 below four.

    A sign is a connected region of letter size that is brighter, or darker, than its surroundings;
    a row are signs of one gray on one line, close to each other. Bone and noise rarely form rows.

    Args:
        grays: (N, H, W) of 8 bits.
    """
    count, height, width = grays.shape
    found = [0] * count
    edges = _edges(grays) if min(height, width) >= _LEAST_SIDE else None
    if edges is not None:
        dense = _dense(edges)
        for row in np.flatnonzero(dense.any(axis=(1, 2))).tolist():
            found[row] = _signs(grays[row], dense[row])
    return found


def _signs(gray: Grays, dense: NDArray[np.bool_]) -> int:
    tallest = max(_MARGIN, min(_TALLEST, gray.shape[0] // _SHARE))
    longest = max(longest_row(gray[place], tallest) for place in _places(dense))
    return longest if longest >= FEWEST else 0


def _edges(grays: Grays) -> NDArray[np.uint8] | None:
    """Sharp steps along every fourth line in windows of 16 columns; None where there is none.

    Few pictures hold any, and to look for them is far cheaper than to look for signs.
    """
    # Of seven bits, so that differences fit eight.
    half = (grays[:, _LINE // 2 :: _LINE] >> 1).view(np.int8)
    sharp = np.abs(half[:, :, 2:] - half[:, :, :-2]) > _STEP // 2
    bits = np.packbits(sharp, axis=2)
    if not bits.any():
        return None
    counts = np.bitwise_count(bits)
    odd = counts.shape[2] % 2
    counts = np.pad(counts, ((0, 0), (0, 0), (0, odd)))
    return counts[:, :, ::2] + counts[:, :, 1::2]


def _dense(edges: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a window and its two neighbours hold as many edges as text has."""
    three = edges.copy()
    three[..., 1:] += edges[..., :-1]
    three[..., :-1] += edges[..., 1:]
    return three >= _DENSE


def _places(dense: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of connected places where edges are dense."""
    from scipy import ndimage

    near = ndimage.maximum_filter(dense.view(np.uint8), size=(5, 3), mode="constant")
    found, _ = ndimage.label(near, structure=np.ones((3, 3)))
    for rows, columns in ndimage.find_objects(found):
        yield _grown(rows, _LINE), _grown(columns, _WINDOW)


def _grown(cut: slice, unit: int) -> slice:
    return slice(max(0, cut.start * unit - _MARGIN), cut.stop * unit + _MARGIN)
