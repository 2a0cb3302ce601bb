"""From a decoded picture to its stored form, and from there to a network's input. Torch-free.

Training, export, prediction and serving all go ``read_image -> to_stored -> render``, so that a
network meets the same pixels wherever it runs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.imaging.gray import gray_of
from medistill.imaging.levels import Levels
from medistill.imaging.reader import Picture

Channels = Literal["gray", "rgb"]
Fit = Literal["stretch", "crop", "pad"]
Float = NDArray[np.float32]
#: Stored value of full white.
STORED_WHITE = 65535


def to_stored(picture: Picture, *, stored_size: int, channels: Channels) -> NDArray[np.uint16]:
    """Bring a picture to the form in which it is stored.

    Gray first, then an antialiased bicubic resize in float, then clipping and rounding to 16 bits.

    Args:
        picture: a decoded image.
        stored_size: pixels of the short side; the aspect ratio is kept.
        channels: ``gray`` (ITU-R BT.601 luma) or ``rgb`` (gray is repeated three times).

    Returns:
        uint16 of shape (H, W) for gray, (H, W, 3) for rgb; 0 is black, 65535 white.

    Raises:
        ValueError: ``stored_size`` is below 1.
    """
    same = unresized_levels(picture, stored_size=stored_size, channels=channels)
    if same is not None:
        return same.sixteen_bits()
    width, height = _stored_shape(picture.shape, stored_size)
    pixels = _with_channels(picture, channels)
    resized = resize(pixels, width=width, height=height)
    stored: NDArray[np.uint16] = np.rint(resized * np.float32(STORED_WHITE)).astype(np.uint16)
    return stored


def unresized_levels(picture: Picture, *, stored_size: int, channels: Channels) -> Levels | None:
    """A picture's own whole numbers where :func:`to_stored` would only widen them to 16 bits.

    Args:
        picture: a decoded image.
        stored_size: as of :func:`to_stored`.
        channels: as of :func:`to_stored`.

    Returns:
        Gray of shape (H, W); None where the picture is resized, coloured, or not of whole numbers.

    Raises:
        ValueError: ``stored_size`` is below 1.
    """
    if stored_size < 1:
        raise ValueError(f"stored_size must be at least 1, not {stored_size}")
    width, height = _stored_shape(picture.shape, stored_size)
    if channels != "gray" or picture.shape[:2] != (height, width) or picture.levels is None:
        return None
    return picture.levels.gray()


def render(stored: NDArray[np.uint16], *, size: int, fit: Fit) -> Float:
    """Render a stored image as a network's input, without augmentation.

    Args:
        stored: uint16 of shape (H, W) or (H, W, 3).
        size: side of the square in pixels.
        fit: ``stretch`` scales both sides to ``size``; ``crop`` scales the short side and cuts the
            middle of the long one; ``pad`` scales the long side and centres on black.

    Returns:
        float32 of shape (1, size, size) or (3, size, size) in [0, 1].
    """
    pixels = to_float(stored)
    if fit == "stretch":
        return to_channels_first(resize(pixels, width=size, height=size))
    width, height = _fitted_shape(pixels.shape, size, fit)
    return to_channels_first(_centred(resize(pixels, width=width, height=height), size))


def to_float(stored: NDArray[np.uint16]) -> Float:
    """Stored 16-bit values as float32 in [0, 1], of the same shape."""
    return stored.astype(np.float32) / np.float32(STORED_WHITE)


def to_channels_first(pixels: Float) -> Float:
    """(H, W) or (H, W, 3) to (1, H, W) or (3, H, W), contiguous."""
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels[None])
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def resize(pixels: Float, *, width: int, height: int) -> Float:
    """Antialiased bicubic resize (Pillow, mode F), clipped to [0, 1]; same size is untouched.

    Args:
        pixels: float32 of shape (H, W) or (H, W, 3) in [0, 1].
        width: pixels of a row in the result.
        height: rows of the result.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.ndim == 3:
        planes = [resize(pixels[..., c], width=width, height=height) for c in range(3)]
        return np.stack(planes, axis=-1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized, dtype=np.float32), np.float32(0), np.float32(1))


def _with_channels(picture: Picture, channels: Channels) -> Float:
    if channels == "gray":
        return gray_of(picture)
    pixels = picture.pixels
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=-1)


def _stored_shape(shape: tuple[int, ...], short: int) -> tuple[int, int]:
    scale = short / min(shape[:2])
    return max(short, round(shape[1] * scale)), max(short, round(shape[0] * scale))


def _fitted_shape(shape: tuple[int, ...], size: int, fit: Fit) -> tuple[int, int]:
    side = min(shape[:2]) if fit == "crop" else max(shape[:2])
    scale = size / side
    width, height = (max(1, round(length * scale)) for length in (shape[1], shape[0]))
    return width, height


def _centred(pixels: Float, size: int) -> Float:
    """Cut or pad with black around the middle to (size, size)."""
    square = np.zeros((size, size, *pixels.shape[2:]), dtype=np.float32)
    rows, columns = (_overlap(length, size) for length in pixels.shape[:2])
    square[rows[1], columns[1]] = pixels[rows[0], columns[0]]
    return square


def _overlap(length: int, size: int) -> tuple[slice, slice]:
    """Where a side of the source and of the square meet when centred on each other."""
    kept, offset = min(length, size), (size - length) // 2
    return slice(max(0, -offset), max(0, -offset) + kept), slice(
        max(0, offset), kept + max(0, offset)
    )
