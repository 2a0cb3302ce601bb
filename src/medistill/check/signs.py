"""Signs that stand out from their surroundings, and how many of them stand in a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_LOWEST = 4
#: Surroundings are judged in blocks of 4 x 4 pixels: mean of 11 blocks each way, extreme of 9.
_BLOCK, _MEAN, _EXTREME = 4, 5, 9
#: A sign begins at this share of the way from the mean to the extreme around it.
_START = 0.4
#: Least contrast of text, of 255, and between the mean and the extreme around it.
_CONTRAST, _RANGE = 50, 35
#: Inks of a row differ by this share of their contrast at most.
_INK = 0.3
#: A filled block is no letter, unless it is narrow.
_FILLED, _NARROW = 0.9, 0.6
#: Capitals and ascenders are so much taller than small letters.
_CAPITALS = (1.2, 1.6)
#: A gap of more heights ends a row.
_GAP = 1.5
#: Among many signs, as in noise, some form rows by chance: as many more make a row one longer.
_CROWD = 50
_FEWEST, _MOST = 4, 600
Gray = NDArray[np.uint8]
Boxes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def longest_row(gray: Gray, tallest: int) -> int:
    """Signs in the longest row of bright or of dark ones; 0 below four, and more in a crowd.

    Args:
        gray: part of a picture, (H, W) of 8 bits.
        tallest: largest height of a sign in pixels.
    """
    height, width = gray.shape
    whole = np.pad(gray, ((0, -height % _BLOCK), (0, -width % _BLOCK)), mode="edge")
    return max(_longest(whole, tallest), _longest(~whole, tallest))


def _longest(gray: Gray, tallest: int) -> int:
    """Of bright signs."""
    from scipy import ndimage

    bright = gray > _threshold(gray)
    labelled, _ = ndimage.label(bright, structure=np.ones((3, 3)))
    crowd, numbers = _of_letter_size(ndimage.find_objects(labelled), tallest)
    kept = _in_rows(crowd)
    pairs = zip(crowd[kept], numbers[kept], strict=True)
    inks = np.array([_ink(gray, bright, labelled, *pair) for pair in pairs]).reshape(-1, 2)
    signs = inks[:, 1] >= _CONTRAST
    boxes, inks = crowd[kept][signs], inks[signs]
    alike = _alike(boxes)
    alike &= np.abs(inks[:, :1] - inks[:, :1].T) <= _INK * inks[:, 1:]
    longest = max((_walked(boxes[row], boxes[held]) for row, held in enumerate(alike)), default=0)
    return longest if longest >= _FEWEST + len(crowd) // _CROWD else 0


def _threshold(gray: Gray) -> Gray:
    """Gray above which a pixel stands out from its surroundings; white where nothing does."""
    from scipy import ndimage

    blocks = Image.fromarray(gray).reduce(_BLOCK)
    mean = np.asarray(blocks.filter(ImageFilter.BoxBlur(_MEAN)), dtype=np.float32)
    lines = np.maximum.reduce([gray[line::_BLOCK] for line in range(_BLOCK)])
    most = np.maximum.reduce([lines[:, column::_BLOCK] for column in range(_BLOCK)])
    most = ndimage.maximum_filter(most, size=_EXTREME)
    found = mean + _START * (most - mean)
    found[most - mean < _RANGE] = 255
    whole: Gray = found.astype(np.uint8).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
    return whole


def _of_letter_size(
    places: list[tuple[slice, slice]], tallest: int
) -> tuple[Boxes, NDArray[np.int64]]:
    """Top, bottom, left and right of regions, (N, 4), and their numbers; sorted by left."""
    ends = [(r.start, r.stop, c.start, c.stop) for r, c in places]
    boxes = np.array(ends, dtype=np.int64).reshape(-1, 4)
    height, width = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    fits = (height >= _LOWEST) & (height <= tallest) & (width <= 1.6 * height)
    rows = np.flatnonzero(fits)
    rows = rows[np.argsort(boxes[rows, 2], kind="stable")][:_MOST]
    return boxes[rows], rows + 1


def _alike(boxes: Boxes) -> Mask:
    """For each sign which, on its line and to its right, are as tall or its capitals, (N, N)."""
    bottom, left = boxes[:, 1], boxes[:, 2]
    height = (boxes[:, 1] - boxes[:, 0])[:, None]
    slack = np.maximum(1, height // 8)
    taller = height.T / height
    capital = (taller >= _CAPITALS[0]) & (taller <= _CAPITALS[1])
    on_line = np.abs(bottom - bottom[:, None]) <= slack
    tall = (np.abs(height.T - height) <= slack) | capital
    alike: Mask = on_line & tall & (left >= left[:, None])
    return alike


def _in_rows(boxes: Boxes) -> Mask:
    """Which signs are in a row long enough, by their places alone."""
    alike = _alike(boxes)
    kept = np.zeros(len(boxes), dtype=np.bool_)
    for row in np.flatnonzero(alike.sum(axis=1) >= _FEWEST):
        if _walked(boxes[row], boxes[alike[row]]) >= _FEWEST:
            kept |= alike[row]
    return kept


def _ink(
    gray: Gray, bright: Mask, labelled: NDArray[np.int32], box: Boxes, number: int
) -> tuple[int, int]:
    """Brightest gray of a sign and its contrast with what is around; none for a filled block."""
    top, bottom, left, right = box.tolist()
    own = labelled[top:bottom, left:right] == number
    ink = int(gray[top:bottom, left:right][own].max())
    if own.mean() > _FILLED and right - left > _NARROW * (bottom - top):
        return ink, 0
    near = slice(max(0, top - 2), bottom + 2), slice(max(0, left - 2), right + 2)
    around = gray[near][~bright[near]]
    return ink, ink - int(np.median(around)) if around.size else 0


def _walked(sign: Boxes, others: Boxes) -> int:
    """Signs from one on while gaps stay small; the others are sorted by left."""
    reach = _GAP * (sign[1] - sign[0])
    length, end = 0, int(sign[3])
    for start, stop in others[:, 2:].tolist():
        if start - end > reach:
            break
        if not length or start >= end:
            length, end = length + 1, stop
    return length
