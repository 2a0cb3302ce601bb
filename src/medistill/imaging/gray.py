"""Colour to gray, the same way for every mode. Torch-free."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from medistill.imaging.levels import EIGHT_BITS, Levels
from medistill.imaging.picture import Picture

#: Thousandths of red, green and blue (ITU-R BT.601-7, section 2.5.1: E'Y).
LUMA_THOUSANDTHS = (299, 587, 114)


def to_gray(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma of an image; a gray one is returned as it is.

    Y = (299 R + 587 G + 114 B) / 1000 in float64 (ITU-R BT.601). The weights are integers so that
    R = G = B gives exactly that value: a float32 times 1000 fits a float64 without rounding. An RGB
    copy of a gray picture therefore becomes the same gray, bit for bit.

    Args:
        pixels: float32 of shape (H, W) or (H, W, 3) in [0, 1].

    Returns:
        float32 of shape (H, W) in [0, 1].
    """
    if pixels.ndim == 2:
        return pixels
    red, green, blue = (pixels[..., channel].astype(np.float64) for channel in range(3))
    weights = LUMA_THOUSANDTHS
    summed = weights[0] * red + weights[1] * green + weights[2] * blue
    return (summed / 1000).astype(np.float32)


def gray_of(picture: Picture) -> NDArray[np.float32]:
    """Luma of a picture, bit for bit that of its pixels, the quickest way that its source allows.

    Returns:
        float32 of shape (H, W) in [0, 1].
    """
    levels = picture.levels
    if levels is None:
        return to_gray(picture.pixels)
    flat = levels.gray()
    if flat is not None:
        return flat.pixels()
    if levels.white == EIGHT_BITS:
        red, green, blue = (_weighted(c).take(levels.values[..., c]) for c in range(3))
        return ((red + green + blue) / 1000).astype(np.float32)
    return to_gray(picture.pixels)


@cache
def _weighted(channel: int) -> NDArray[np.float64]:
    """What each 8-bit value of a channel adds to a thousand lumas."""
    pixels = Levels(np.arange(256, dtype=np.uint8), EIGHT_BITS).pixels()
    return LUMA_THOUSANDTHS[channel] * pixels.astype(np.float64)
