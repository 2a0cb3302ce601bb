"""One small 8-bit picture of every image, from which all facts of its look are taken.

Sixty-four such pictures are worked on at once: a call of numpy costs more than its arithmetic on
one picture of this size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.imaging.gray import to_gray
from medistill.imaging.levels import EIGHT_BITS, SIXTEEN_BITS, Levels
from medistill.imaging.picture import Picture

#: Side of the small picture in pixels.
SIDE = 64
_CORNER, _THUMB = 6, 16
_LOW, _HIGH = 0.01, 0.99
#: A picture is first shrunk by a whole factor, down to twice the side at most.
_GAP = 2.0
Bytes = NDArray[np.uint8]
Values = NDArray[np.float64]


def eight_bit_gray(picture: Picture) -> Bytes:
    """Gray times 255, rounded, of shape (H, W); colour becomes luma (ITU-R BT.601)."""
    levels = picture.levels
    if levels is None:
        return np.asarray(np.rint(to_gray(picture.pixels) * np.float32(255)), dtype=np.uint8)
    flat = levels.gray()
    if flat is not None:
        return flat.eight_bits()
    return np.asarray(Image.fromarray(levels.eight_bits()).convert("L"))


def canonical(picture: Picture) -> NDArray[np.unsignedinteger]:
    """The pixels in one form whatever the file's: 8-bit where these say all, else 16-bit."""
    levels = picture.levels
    if levels is None:
        wide = np.rint(picture.pixels * np.float32(SIXTEEN_BITS)).astype(np.uint16)
        levels = Levels(wide, SIXTEEN_BITS)
    levels = levels.gray() or levels
    if levels.white == EIGHT_BITS:
        return levels.values
    wide = levels.sixteen_bits()
    # A few rows tell almost always; only then are all looked at.
    if (wide[:2] % 257).any() or (wide % 257).any():
        return wide
    return (wide // 257).astype(np.uint8)


def small_picture(gray: Bytes) -> Bytes:
    """Mean gray in each of 64 x 64 boxes, rounded."""
    image, (height, width) = Image.fromarray(gray), gray.shape
    if height % SIDE == 0 and width % SIDE == 0:
        return np.asarray(image.reduce((width // SIDE, height // SIDE)))
    box = Image.Resampling.BOX
    return np.asarray(image.resize((SIDE, SIDE), box, reducing_gap=_GAP))


@dataclass(frozen=True)
class Looks:
    """Facts of N small pictures; gray is a share of white.

    Attributes:
        low: first percentile, (N,).
        high: 99th percentile, (N,).
        mean: mean, (N,).
        corners: means of the four corners, (N, 4).
        edges: means of the four edges, then their deviations, (N, 8).
        thumbs: 16 x 16 pictures of 8 bits, (N, 256).
    """

    low: Values
    high: Values
    mean: Values
    corners: Values
    edges: Values
    thumbs: Bytes


def looks_of(small: Bytes) -> Looks:
    """Facts of small pictures of shape (N, 64, 64)."""
    low, high = _percentiles(small.reshape(len(small), -1))
    thumbs = small.reshape(-1, _THUMB, SIDE // _THUMB, _THUMB, SIDE // _THUMB)
    boxed = thumbs.sum(axis=(2, 4), dtype=np.uint16)
    pixels = (SIDE // _THUMB) ** 2
    return Looks(
        low=low,
        high=high,
        mean=_share(small.mean(axis=(1, 2))),
        corners=_corners(small),
        edges=_edges(small),
        thumbs=((boxed + pixels // 2) // pixels).astype(np.uint8).reshape(len(small), -1),
    )


def _percentiles(flat: Bytes) -> tuple[Values, Values]:
    """With linear interpolation, as numpy's."""
    # Numbers of 8 bits are sorted by counting, which is quicker than to look for two of them.
    ordered = np.sort(flat, axis=1, kind="stable").astype(np.float64)
    last = flat.shape[1] - 1
    found = []
    for place in (_LOW * last, _HIGH * last):
        under = int(place)
        step = ordered[:, min(under + 1, last)] - ordered[:, under]
        found.append(_share(ordered[:, under] + (place - under) * step))
    return found[0], found[1]


def _corners(small: Bytes) -> Values:
    near, far = slice(0, _CORNER), slice(-_CORNER, None)
    means = [small[:, r, c].mean(axis=(1, 2)) for r in (near, far) for c in (near, far)]
    return _share(np.stack(means, axis=1))


def _edges(small: Bytes) -> Values:
    bands = np.stack([small[:, 0], small[:, -1], small[:, :, 0], small[:, :, -1]], axis=1)
    return _share(np.concatenate([bands.mean(axis=2), bands.std(axis=2)], axis=1))


def _share(gray: Values) -> Values:
    return np.round(gray / 255, 4)
