"""A map over its image, as a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Black, violet, orange, yellow: rises in brightness, so it reads in grey and for the colour-blind.
_STOPS = np.array([[0, 0, 0], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]) / 255


def overlay(image: NDArray[np.floating], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Blend a map over an image; where the map is 0 the image stays as it is.

    Args:
        image: (C, S, S) in [0, 1], C is 1 or 3.
        heat: (S, S) in [0, 1].

    Returns:
        (S, S, 3) uint8.
    """
    base = np.repeat(image, 3, axis=0) if len(image) == 1 else image
    position = np.clip(heat, 0, 1)[..., None] * (len(_STOPS) - 1)
    low = np.minimum(position.astype(int), len(_STOPS) - 2)[..., 0]
    colour = _STOPS[low] + (position - low[..., None]) * (_STOPS[low + 1] - _STOPS[low])
    weight = 0.65 * np.clip(heat, 0, 1)[..., None]
    mixed = (1 - weight) * np.moveaxis(base, 0, -1) + weight * colour
    return np.asarray(np.clip(np.rint(255 * mixed), 0, 255), dtype=np.uint8)
