"""Masks of a segmenting student: back to the picture's geometry, and their areas. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.imaging.preprocessing import Fit
from medistill.serve.relevance import shown_box

Mask = NDArray[np.uint8]
_ROWS = 256


def grown_mask(chances: NDArray[np.floating], shape: tuple[int, int]) -> Mask:
    """The most probable class of each pixel of a larger or smaller grid.

    Probabilities are interpolated linearly between the centres of pixels, which is what evaluation
    does (``torch.nn.functional.interpolate``, ``bilinear``, ``align_corners=False``).

    Args:
        chances: (K, H, W), at most 256 classes; any positive weight a class may be multiplied in.
        shape: height and width wanted.
    """
    values = chances.astype(np.float32)
    height, width = shape
    low, high, share = _between(values.shape[2], width)
    across = values[..., low] * (1 - share) + values[..., high] * share
    low, high, share = _between(values.shape[1], height)
    found = np.empty(shape, np.uint8)
    # In bands, since K planes of a large picture would fill the memory.
    for top in range(0, height, _ROWS):
        band = slice(top, top + _ROWS)
        weight = share[band, None]
        mixed = across[:, low[band]] * (1 - weight) + across[:, high[band]] * weight
        found[band] = mixed.argmax(axis=0)
    return found


def onto_picture(chances: NDArray[np.floating], shape: tuple[int, int], fit: Fit) -> Mask:
    """Undo the geometry of ``imaging.render``; what a crop left out becomes class 0.

    Args:
        chances: (K, S, S) probabilities, as for :func:`grown_mask`.
        shape: height and width of the picture.
        fit: how the picture was brought to the square.

    Returns:
        uint8 of ``shape``.
    """
    height, width = shape
    left, top, right, bottom = shown_box(shape, fit)
    size = (round((bottom - top) * height), round((right - left) * width))
    square = grown_mask(chances, size)
    across, down = round(left * width), round(top * height)
    whole = np.zeros(shape, np.uint8)
    rows = slice(max(0, down), min(height, down + size[0]))
    columns = slice(max(0, across), min(width, across + size[1]))
    whole[rows, columns] = square[
        rows.start - down : rows.stop - down, columns.start - across : columns.stop - across
    ]
    return whole


def area_shares(mask: Mask, classes: int) -> tuple[float, ...]:
    """Share of the pixels that each class takes; they add up to 1."""
    counts = np.bincount(mask.ravel(), minlength=classes)
    return tuple(float(count) / mask.size for count in counts[:classes])


def _between(
    source: int, target: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each target pixel of a line its two source neighbours and the share of the second."""
    centres = np.maximum((np.arange(target) + 0.5) * (source / target) - 0.5, 0)
    low = np.minimum(centres.astype(np.intp), source - 1)
    high = np.minimum(low + 1, source - 1)
    return low, high, (centres - low).astype(np.float32)
