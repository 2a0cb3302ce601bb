"""Pictures of the kinds that hospitals hand over, with a line of text burnt in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

#: Grounds, and the inks that can be read on them.
INKS = {"air": (255, 200), "tissue": (255, 200), "bright tissue": (0,), "white": (0, 60)}
PLACES = ("top left", "top right", "bottom left", "bottom right", "middle", "border")


@dataclass(frozen=True)
class Line:
    """A line of text in a picture.

    Attributes:
        words: what is written.
        size: of the font, in pixels.
        ink: gray of the letters.
        ground: name of the ground.
        place: where it stands.
    """

    words: str
    size: int
    ink: int
    ground: str
    place: str

    def written(self, side: int) -> NDArray[np.uint8]:
        """The picture of side x side."""
        image = Image.fromarray(ground(self.ground, side))
        draw = ImageDraw.Draw(image)
        box = draw.textbbox((0, 0), self.words, font_size=self.size)
        draw.text(self._start(side, box), self.words, fill=self.ink, font_size=self.size)
        return np.asarray(image)

    def _start(self, side: int, box: tuple[float, float, float, float]) -> tuple[float, float]:
        left, top, right, bottom = box
        margin = side // 40
        if self.place == "border":
            return 1 - left, 1 - top
        if self.place == "middle":
            return (side - right) // 2, side // 2
        across = margin if "left" in self.place else side - margin - right
        return across, margin if "top" in self.place else side - margin - bottom


@cache
def ground(name: str, side: int) -> NDArray[np.uint8]:
    """Black or white, or soft structures with noise."""
    if name in ("air", "white"):
        return np.full((side, side), 8 if name == "air" else 255, dtype=np.uint8)
    draw = np.random.default_rng(side)
    coarse = Image.fromarray(draw.standard_normal((8, 8)).astype(np.float32))
    soft = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    noise = draw.standard_normal((side, side), dtype=np.float32)
    level = 200 if name == "bright tissue" else 90
    return np.clip(level + 25 * soft + 8 * noise, 0, 255).astype(np.uint8)
