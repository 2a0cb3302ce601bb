"""One small 8-bit picture of every image, from which all facts of its look are taken.

Sixty-four such pictures are worked on at once: a call of numpy costs more than its arithmetic on
one picture of this size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.imaging.gray import to_gray
from medistill.imaging.levels import EIGHT_BITS, SIXTEEN_BITS, Levels
from medistill.imaging.picture import Picture

#: Side of the small picture in pixels.
SIDE = 64
_CORNER, _THUMB = 6, 16
# Columns of the profiles.
_BOXES, _ENDS, _FIRST, _LAST, _ALL = slice(16), slice(16, 18), 18, 19, 20
_LOW, _HIGH = 0.01, 0.99
#: As many bytes always have a sum of 16 bits.
_SHORT = 257
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
    if flat is not None and flat.table is not None:
        # By way of the 16 bits that are needed anyhow, and as a 16-bit copy of it would be.
        return Levels(flat.sixteen_bits(), SIXTEEN_BITS).eight_bits()
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
    small: Bytes = small_pictures(gray[None])[0]
    return small


def small_pictures(grays: Bytes) -> Bytes:
    """The same of N pictures of one shape, from (N, H, W) to (N, 64, 64)."""
    _, height, width = grays.shape
    if height % SIDE or width % SIDE:
        return np.stack([_shrunk(gray) for gray in grays])
    return _box_means(grays, height // SIDE, width // SIDE)


def _box_means(grays: Bytes, tall: int, wide: int) -> Bytes:
    """Rounded as by Pillow's ``Image.reduce``, in half of its time."""
    lines = grays.reshape(-1, tall, grays.shape[2])
    columns = lines[:, 0].astype(np.uint16 if tall <= _SHORT else np.uint32)
    for line in range(1, tall):
        np.add(columns, lines[:, line], out=columns)
    # Exact: such a picture has at most 64 million pixels, so no sum reaches 2 ** 24.
    sums = columns.astype(np.float32).reshape(-1, wide) @ np.ones(wide, dtype=np.float32)
    # Halves are rounded up, and times 2 ** 24 by the size of a box, as Pillow does, fits 32 bits.
    half, share = np.uint32(tall * wide // 2), np.uint32((1 << 24) // (tall * wide))
    means = (sums.astype(np.uint32) + half) * share >> np.uint32(24)
    return means.astype(np.uint8).reshape(-1, SIDE, SIDE)


def _image(gray: Bytes) -> Image.Image:
    return Image.frombuffer("L", gray.shape[::-1], np.ascontiguousarray(gray))


def _shrunk(gray: Bytes) -> Bytes:
    box = Image.Resampling.BOX
    return np.asarray(_image(gray).resize((SIDE, SIDE), box, reducing_gap=_GAP))


@dataclass(frozen=True)
class Looks:
    """Facts of N small pictures; gray is a share of white.

    Attributes:
        low: first percentile of every fourth pixel, (N,).
        high: 99th percentile of every fourth pixel, (N,).
        mean: mean, (N,).
        corners: means of the four corners, (N, 4).
        edges: means of the four edges, then their deviations, (N, 8).
        thumbs: 16 x 16 pictures of 8 bits, (N, 256).
        looks: 32 x 32 pictures of 8 bits, (N, 1024).
    """

    low: Values
    high: Values
    mean: Values
    corners: Values
    edges: Values
    thumbs: Bytes
    looks: Bytes


def looks_of(small: Bytes) -> Looks:
    """Facts of small pictures of shape (N, 64, 64)."""
    low, high = _percentiles(small[:, ::2, ::2].reshape(len(small), -1))
    # All that is a sum of pixels at once: exact, since no sum reaches 2 ** 24.
    profiles = _profiles()
    lines = small.astype(np.float32) @ profiles
    sums = (lines.transpose(0, 2, 1) @ profiles).transpose(0, 2, 1).astype(np.float64)
    thumbs = np.floor(sums[:, _BOXES, _BOXES] / (SIDE // _THUMB) ** 2 + 0.5)
    bands = np.stack([small[:, 0], small[:, -1], small[:, :, 0], small[:, :, -1]], axis=1)
    deviations = bands.astype(np.float32).std(axis=2).astype(np.float64)
    means = [
        sums[:, _FIRST, _ALL],
        sums[:, _LAST, _ALL],
        sums[:, _ALL, _FIRST],
        sums[:, _ALL, _LAST],
    ]
    return Looks(
        low=low,
        high=high,
        mean=_share(sums[:, _ALL, _ALL] / SIDE**2),
        corners=_share(sums[:, _ENDS, _ENDS].reshape(-1, 4) / _CORNER**2),
        edges=_share(np.concatenate([np.stack(means, axis=1) / SIDE, deviations], axis=1)),
        thumbs=thumbs.astype(np.uint8).reshape(len(small), -1),
        looks=_halved(small).reshape(len(small), -1),
    )


def _halved(small: Bytes) -> Bytes:
    """Rounded means of boxes of 2 x 2, (N, 32, 32)."""
    whole = _image(small.reshape(-1, SIDE))
    return np.asarray(whole.reduce(2)).reshape(-1, SIDE // 2, SIDE // 2)


@cache
def _profiles() -> NDArray[np.float32]:
    """Which pixels of a line are summed, (64, 21): 16 boxes, two ends, first, last, all."""
    place = np.arange(SIDE)
    boxes = [place // (SIDE // _THUMB) == box for box in range(_THUMB)]
    ends = [place < _CORNER, place >= SIDE - _CORNER]
    lines = [place == 0, place == SIDE - 1, place >= 0]
    return np.stack([*boxes, *ends, *lines], axis=1).astype(np.float32)


def _percentiles(flat: Bytes) -> tuple[Values, Values]:
    """With linear interpolation, as numpy's."""
    # Numbers of 8 bits are sorted by counting, which is quicker than to look for two of them.
    ordered = np.sort(flat, axis=1, kind="stable")
    last = flat.shape[1] - 1
    found = []
    for place in (_LOW * last, _HIGH * last):
        under = int(place)
        near = ordered[:, under : under + 2].astype(np.float64)
        found.append(_share(near[:, 0] + (place - under) * (near[:, 1] - near[:, 0])))
    return found[0], found[1]


def _share(gray: Values) -> Values:
    return np.round(gray / 255, 4)
