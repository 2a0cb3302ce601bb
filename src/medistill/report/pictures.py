"""Images of the data inside the report."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGEST_SIDE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An image with what there is to say of it.

    Attributes:
        pixels: shape (H, W) or (H, W, 3); uint8, or float in [0, 1].
        caption: one line below it, which also serves those who cannot see it.
        detail: small print, for example the file's name.
    """

    pixels: NDArray[np.generic]
    caption: str
    detail: str = ""

    @property
    def source(self) -> str:
        """A PNG as data URI, at most 256 pixels a side."""
        picture = Image.fromarray(_eight_bit(self.pixels))
        picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        stream = io.BytesIO()
        picture.save(stream, format="PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _eight_bit(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8)
    scaled = np.nan_to_num(np.asarray(pixels, dtype=np.float64)) * 255
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
