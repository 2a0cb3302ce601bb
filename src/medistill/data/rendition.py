"""Paints a drawn view of a stored image at any size. Torch-free."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.data.rand_augment import Operation, apply_operations
from medistill.imaging.preprocessing import Fit
from medistill.imaging.resize import render, to_channels_first, to_float

Float = NDArray[np.float32]
_BICUBIC = Image.Resampling.BICUBIC
# Points a side on which noise is defined; rendering interpolates them, whatever the size.
_GRAIN = 128


@dataclass(frozen=True, kw_only=True)
class View:
    """One geometry and one photometry, in units that do not depend on the size rendered.

    Attributes:
        number: 0 is un-augmented, and then everything else is the identity.
        key: 128 bits that the noise field is made from.
        extent: width and height of the crop as fractions of the image.
        centre: centre of the crop, as fractions of the image.
        flip: mirrored left and right.
        rotation: radians, in pixels of the stored image.
        shear: horizontal shift per unit of height.
        brightness: factor on the values.
        contrast: factor on distances from mid-gray, 0.5.
        gamma: exponent.
        noise: standard deviation in units of the range [0, 1].
        blur: standard deviation as a fraction of the side.
        erase: left, top, right, bottom as fractions of the square, and the gray value; or None.
        operations: RandAugment's, by name and argument.
    """

    number: int
    key: int = 0
    extent: tuple[float, float] = (1.0, 1.0)
    centre: tuple[float, float] = (0.5, 0.5)
    flip: bool = False
    rotation: float = 0.0
    shear: float = 0.0
    brightness: float = 1.0
    contrast: float = 1.0
    gamma: float = 1.0
    noise: float = 0.0
    blur: float = 0.0
    erase: tuple[float, float, float, float, float] | None = None
    operations: tuple[Operation, ...] = ()


def render_view(stored: NDArray[np.uint16], view: View, *, size: int, fit: Fit) -> Float:
    """Render a view of a stored image.

    Antialiased bicubic where the image shrinks. View 0 is ``imaging.render`` itself. Order of the
    rest: crop with rotation and shear, mirror, RandAugment, blur, brightness, contrast, gamma,
    noise, erase.

    Args:
        stored: uint16 of shape (H, W) or (H, W, 3).
        view: what was drawn for this image.
        size: side of the square in pixels.
        fit: ``stretch``, ``crop`` (middle square) or ``pad`` (square with black borders); the
            crop of a view is taken out of what it leaves.

    Returns:
        float32 of shape (1, size, size) or (3, size, size) in [0, 1].
    """
    if view.number == 0:
        return render(stored, size=size, fit=fit)
    planes = to_channels_first(to_float(stored))
    if fit == "pad":
        planes = _padded(planes)
    image = np.stack([_warped(plane, view, size, fit) for plane in planes])
    if view.flip:
        image = np.ascontiguousarray(image[..., ::-1])
    image = apply_operations(image, view.operations)
    if view.blur > 0:
        image = _blurred(image, view.blur * size)
    image = _toned(image, view)
    if view.noise > 0:
        image = np.clip(image + np.float32(view.noise) * _noise(view.key, size), 0, 1)
    if view.erase is not None:
        _paint_over(image, view.erase)
    return image


def _padded(planes: Float) -> Float:
    """(C, H, W) in the middle of a black square of the longer side."""
    height, width = planes.shape[1:]
    side = max(height, width)
    above, left = (side - height) // 2, (side - width) // 2
    rest = ((0, 0), (above, side - height - above), (left, side - width - left))
    return np.pad(planes, rest)


def _warped(plane: Float, view: View, size: int, fit: Fit) -> Float:
    """Crop, rotate and shear one (H, W) plane into (size, size), clipped to [0, 1]."""
    image = Image.fromarray(plane)
    width, height = (min(plane.shape),) * 2 if fit == "crop" else image.size
    extent = (view.extent[0] * width, view.extent[1] * height)
    centre = (
        image.width / 2 + (view.centre[0] - 0.5) * width,
        image.height / 2 + (view.centre[1] - 0.5) * height,
    )
    if view.rotation == 0 and view.shear == 0:
        box = _box(image.size, centre, extent)
        shown = image.resize((size, size), _BICUBIC, box=box)
    else:
        shown = _turned(image, view, size, centre, extent)
    return np.clip(np.asarray(shown, dtype=np.float32), np.float32(0), np.float32(1))


def _box(
    limits: tuple[int, int], centre: tuple[float, float], extent: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom; rounding errors must not reach over the image's edge."""
    left, top = (max(0.0, c - e / 2) for c, e in zip(centre, extent, strict=True))
    right, bottom = (
        min(float(limit), c + e / 2) for limit, c, e in zip(limits, centre, extent, strict=True)
    )
    return left, top, right, bottom


def _turned(
    image: Image.Image,
    view: View,
    size: int,
    centre: tuple[float, float],
    extent: tuple[float, float],
) -> Image.Image:
    """Rotate and shear about the crop's centre.

    Pillow's affine transform does not antialias, so the image is first shrunk, antialiased, to
    about the resolution of the result; the transform then neither shrinks nor grows it.
    """
    small = tuple(
        max(1, round(side * min(1.0, size / part)))
        for side, part in zip(image.size, extent, strict=True)
    )
    scale = (small[0] / image.width, small[1] / image.height)
    if small != image.size:
        image = image.resize((small[0], small[1]), _BICUBIC)
    cos, sin = math.cos(view.rotation), math.sin(view.rotation)
    turn = ((cos, cos * view.shear - sin), (sin, sin * view.shear + cos))
    coefficients: list[float] = []
    for axis in (0, 1):
        row = [scale[axis] * turn[axis][k] * extent[k] / size for k in (0, 1)]
        coefficients += [*row, scale[axis] * centre[axis] - sum(row) * size / 2]
    return image.transform((size, size), Image.Transform.AFFINE, coefficients, _BICUBIC)


def _toned(image: Float, view: View) -> Float:
    """Brightness, contrast about mid-gray, clip to [0, 1], gamma."""
    slope = view.contrast * view.brightness
    image = np.clip(image * np.float32(slope) + np.float32(0.5 - 0.5 * view.contrast), 0, 1)
    return image if view.gamma == 1 else np.power(image, np.float32(view.gamma))


def _noise(key: int, size: int) -> Float:
    """A (size, size) field of unit-variance grains, the same field at every size.

    Normal numbers by Box and Muller (Annals of Mathematical Statistics 29, 1958), on a fixed
    grid that is then resized. Rendered below 128 pixels, neighbouring grains average out, as
    noise in a photograph does.
    """
    # The key's successor: the words of the key itself were spent on drawing the view.
    words: NDArray[np.uint64] = np.random.Philox(key=(key + 1) % 2**128).random_raw(_GRAIN**2)
    u = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2 * np.log(u[::2])), 2 * np.pi * u[1::2]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)]).astype(np.float32)
    grid = Image.fromarray(normal.reshape(_GRAIN, _GRAIN))
    return np.asarray(grid.resize((size, size), _BICUBIC), dtype=np.float32)


def _blurred(image: Float, sigma: float) -> Float:
    """Gaussian blur of (C, S, S) with ``sigma`` in pixels; edges are repeated."""
    reach = max(1, math.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        rest = [(reach, reach) if axis == each else (0, 0) for each in range(3)]
        wide, length = np.pad(image, rest, mode="edge"), image.shape[axis]
        parts = (wide.take(range(k, k + length), axis) * w for k, w in enumerate(weights))
        image = np.add.reduce(list(parts))
    return image


def _paint_over(image: Float, erase: tuple[float, float, float, float, float]) -> None:
    size = image.shape[-1]
    left, top, right, bottom = (round(edge * size) for edge in erase[:4])
    image[:, top:bottom, left:right] = erase[4]
