"""RandAugment as part of a view: drawn from the view's own key, so that anyone can repeat it.

Cubuk, Zoph, Shlens and Le, "RandAugment: Practical automated data augmentation with a reduced
search space", NeurIPS 2020, with the operations, strengths and notation of timm's
``rand-m9-mstd0.5-inc1``, which DeiT is trained with. Torch-free.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from medistill.core.errors import RecipeError

Float = NDArray[np.float32]
#: An operation by name, and its argument in units that do not depend on the image's size.
Operation = tuple[str, float]
_BICUBIC = Image.Resampling.BICUBIC
_HIGHEST = 10.0
_CHANCE = 0.5
#: Random numbers that one operation is drawn from.
WORDS = 5


@dataclass(frozen=True, kw_only=True)
class RandAugment:
    """How many operations an image gets, and how strong they are.

    Attributes:
        magnitude: mean strength, from 0 to 10.
        spread: standard deviation of the strength, which is cut to 0 to 10.
        count: operations drawn for a view; each is applied with probability 1/2.
    """

    magnitude: float = 9.0
    spread: float = 0.5
    count: int = 2

    @classmethod
    def read(cls, text: str, *, where: str = "views.rand_augment") -> RandAugment:
        """Read timm's notation, for example ``rand-m9-mstd0.5-inc1``; ``n2`` is the default.

        Raises:
            RecipeError: not that notation, or strengths that do not grow (without ``inc1``).
        """
        name, *parts = text.split("-")
        found = [re.fullmatch(r"(mstd|inc|m|n)(\d+(?:\.\d+)?)", part) for part in parts]
        values = {match[1]: float(match[2]) for match in found if match}
        right = name == "rand" and all(found) and values.get("inc") == 1
        right = right and 0 <= values.get("m", 9) <= _HIGHEST and 1 <= values.get("n", 2) <= 8
        if not right:
            raise RecipeError(
                where=where,
                what=f"'{text}' is not understood",
                cure="Write rand-m9-mstd0.5-inc1, m from 0 to 10 and, if you like, n from 1 to 8.",
            )
        return cls(
            magnitude=values.get("m", 9.0),
            spread=values.get("mstd", 0.0),
            count=int(values.get("n", 2)),
        )


def draw_operations(policy: RandAugment, u: Sequence[float]) -> tuple[Operation, ...]:
    """The operations of a view.

    Args:
        policy: how many and how strong.
        u: ``WORDS`` uniform numbers in [0, 1) for each operation.
    """
    names = tuple(_ARGUMENTS)
    drawn = []
    for start in range(0, WORDS * policy.count, WORDS):
        which, whether, radius, angle, side = (float(each) for each in u[start : start + WORDS])
        if whether >= _CHANCE:
            continue
        # Box and Muller; 1 - u lies in (0, 1].
        normal = math.sqrt(-2 * math.log(1 - radius)) * math.cos(2 * math.pi * angle)
        level = min(_HIGHEST, max(0.0, policy.magnitude + policy.spread * normal)) / _HIGHEST
        name = names[int(which * len(names))]
        drawn.append((name, _ARGUMENTS[name](level, 1.0 if side < _CHANCE else -1.0)))
    return tuple(drawn)


def apply_operations(image: Float, operations: Sequence[Operation]) -> Float:
    """Apply operations in order, in 8 bits as they are defined.

    Args:
        image: (1, S, S) or (3, S, S) in [0, 1].
        operations: what was drawn.

    Returns:
        The same shape; what comes from outside is black.
    """
    if not operations:
        return image
    pixels = np.rint(255 * image).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    for name, argument in operations:
        picture = _OPERATIONS[name](picture, argument)
    found = np.asarray(picture, np.float32) / np.float32(255)
    return found[None] if found.ndim == 2 else np.ascontiguousarray(found.transpose(2, 0, 1))


def _moved(picture: Image.Image, *coefficients: float) -> Image.Image:
    return picture.transform(picture.size, Image.Transform.AFFINE, coefficients, _BICUBIC)


def _brighter_below_middle(picture: Image.Image, more: float) -> Image.Image:
    table = [min(255, value + int(more)) if value < 128 else value for value in range(256)]
    return picture.point(table * len(picture.getbands()))


def _factor(level: float, side: float) -> float:
    return max(0.1, 1 + side * 0.9 * level)


#: Argument of each operation at a strength in [0, 1] and a side, 1 or -1; in timm's order.
_ARGUMENTS: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {
        "auto_contrast": lambda level, side: 0.0,
        "equalize": lambda level, side: 0.0,
        "invert": lambda level, side: 0.0,
        "rotate": lambda level, side: side * 30 * level,
        "posterize": lambda level, side: max(1, 4 - int(4 * level)),  # without a bit all is black
        "solarize": lambda level, side: 256 - int(256 * level),
        "solarize_add": lambda level, side: int(110 * level),
        "color": _factor,
        "contrast": _factor,
        "brightness": _factor,
        "sharpness": _factor,
        "shear_x": lambda level, side: side * 0.3 * level,
        "shear_y": lambda level, side: side * 0.3 * level,
        "translate_x": lambda level, side: side * 0.45 * level,
        "translate_y": lambda level, side: side * 0.45 * level,
    }
)
_OPERATIONS: Mapping[str, Callable[[Image.Image, float], Image.Image]] = MappingProxyType(
    {
        "auto_contrast": lambda picture, _: ImageOps.autocontrast(picture),
        "equalize": lambda picture, _: ImageOps.equalize(picture),
        "invert": lambda picture, _: ImageOps.invert(picture),
        "rotate": lambda picture, degrees: picture.rotate(degrees, _BICUBIC),
        "posterize": lambda picture, bits: ImageOps.posterize(picture, int(bits)),
        "solarize": lambda picture, above: ImageOps.solarize(picture, int(above)),
        "solarize_add": _brighter_below_middle,
        "color": lambda picture, factor: ImageEnhance.Color(picture).enhance(factor),
        "contrast": lambda picture, factor: ImageEnhance.Contrast(picture).enhance(factor),
        "brightness": lambda picture, factor: ImageEnhance.Brightness(picture).enhance(factor),
        "sharpness": lambda picture, factor: ImageEnhance.Sharpness(picture).enhance(factor),
        "shear_x": lambda picture, shift: _moved(picture, 1, shift, 0, 0, 1, 0),
        "shear_y": lambda picture, shift: _moved(picture, 1, 0, 0, shift, 1, 0),
        "translate_x": lambda picture, part: _moved(picture, 1, 0, part * picture.width, 0, 1, 0),
        "translate_y": lambda picture, part: _moved(picture, 1, 0, 0, 0, 1, part * picture.height),
    }
)
