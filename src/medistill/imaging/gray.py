"""Colour to gray, the same way for every mode. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
