"""Augmented renditions that any process can repeat bit for bit. Torch-free.

A view is drawn once for an image's content and a view number, from a counter-based generator, and
may then be rendered at several sizes: teacher and student see one geometry and one photometry.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.core.files import sha256_json
from medistill.data.rand_augment import WORDS, RandAugment, draw_operations
from medistill.data.rendition import View, render_view
from medistill.imaging.preprocessing import Fit

__all__ = ["View", "ViewPolicy", "draw_view", "render_view", "view_of_pass"]

Pass = TypeVar("Pass", int, NDArray[np.int64])
# Part of ViewPolicy.hash: raise it whenever the same policy would draw or render other pixels.
_RENDITION = 1
# Random words a view owns. Each quantity has a fixed place among them, so that switching one kind
# of augmentation on or off leaves the draws of the others alone.
_WORDS = 20
# Zhong et al., "Random Erasing Data Augmentation" (AAAI 2020), with timm's largest area.
_ERASED_AREA, _ERASED_ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)


@dataclass(frozen=True, kw_only=True)
class ViewPolicy:
    """How views are drawn; the block ``views`` of a recipe.

    Attributes:
        count: number K of augmented views an image has; pass p of a training shows 1 + p mod K.
        seed: seed of all draws.
        scale: range of the cropped area, as a fraction of the image; uniform.
        aspect: range of the crop's width to height, relative to the image's own; log-uniform.
        flip: mirror left and right in half of the views.
        rotate_degrees: largest rotation either way; uniform. What comes from outside is black.
        shear_degrees: largest horizontal shear either way; uniform.
        brightness: values are multiplied by 1 - brightness up to 1 + brightness; uniform.
        contrast: distances from mid-gray are multiplied by 1 - contrast up to 1 + contrast.
        gamma: exponent between 1 / (1 + gamma) and 1 + gamma; log-uniform.
        noise: largest standard deviation of Gaussian noise, in units of the range [0, 1]; its
            grain is 1/128 of the side.
        blur: largest standard deviation of a Gaussian blur, as a fraction of the side.
        erase: probability that one rectangle of 2 to 33 % of the area is painted over (Zhong et
            al., AAAI 2020).
        repeats: how many views of an image follow each other, so that a batch holds an image that
            often (repeated augmentation; Hoffer et al., CVPR 2020); a pass shows each of them.
        rand_augment: RandAugment in timm's notation, for example ``rand-m9-mstd0.5-inc1``, between
            mirror and blur; null for none. Not for masks, which it would not move.
        fit: how an image that is not square fills the square: ``stretch``, ``crop`` or ``pad``.

    Raises:
        RecipeError: a value is impossible.
    """

    count: int = 8
    seed: int = 0
    scale: tuple[float, float] = (0.7, 1.0)
    aspect: tuple[float, float] = (0.9, 1.1)
    flip: bool = True
    rotate_degrees: float = 15.0
    shear_degrees: float = 0.0
    brightness: float = 0.15
    contrast: float = 0.15
    gamma: float = 0.15
    noise: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    repeats: int = 1
    rand_augment: str | None = None
    fit: Fit = "stretch"

    def __post_init__(self) -> None:
        _check(self.count >= 1, "count", self.count, "at least 1")
        _check(self.repeats >= 1, "repeats", self.repeats, "at least 1")
        _check_range("scale", self.scale, 1.0)
        _check_range("aspect", self.aspect, 10.0)
        limits = {"rotate_degrees": 180.0, "shear_degrees": 60.0, "blur": 0.25}
        limits |= {"brightness": 1.0, "contrast": 1.0, "gamma": 1.0, "noise": 1.0, "erase": 1.0}
        for key, limit in limits.items():
            value = getattr(self, key)
            _check(0 <= value <= limit, key, value, f"between 0 and {limit:g}")
        if self.rand_augment is not None:
            RandAugment.read(self.rand_augment)
        if self.fit not in get_args(Fit):
            raise UnknownNameError(
                where="views.fit", kind="fit", name=self.fit, known=get_args(Fit)
            )

    @property
    def hash(self) -> str:
        """Hash of everything that decides what view v of an image looks like.

        ``count`` and ``repeats`` are left out: they say which views are shown, not how any looks.
        """
        values = asdict(self)
        del values["count"], values["repeats"]
        if self.rand_augment is None:  # as before there was any
            del values["rand_augment"]
        return sha256_json({"rendition": _RENDITION, **values})


def view_of_pass(number: Pass, count: int) -> Pass:
    """The view that pass ``number`` (from 0) over the images shows: 1 + number mod count."""
    return 1 + number % count


def draw_view(policy: ViewPolicy, *, content_hash: str, view: int) -> View:
    """Draw a view; the same arguments give the same view in any process and any order.

    The random words are those of Philox (Salmon et al., "Parallel random numbers: as easy as
    1, 2, 3", SC 2011) keyed by a hash of (seed, content, view); no generator is shared.

    Args:
        policy: ranges and seed.
        content_hash: hash of the stored image, ``Store.hashes[row]``.
        view: number of the view; 0 is un-augmented.
    """
    if view == 0:
        return View(number=0)
    key = _key(policy.seed, content_hash, view)
    u = uniforms(key, _WORDS)
    extent = _extent(policy, u[0], u[1])
    return View(
        number=view,
        key=key,
        extent=extent,
        centre=(_place(extent[0], u[2]), _place(extent[1], u[3])),
        flip=policy.flip and bool(u[4] < 0.5),
        rotation=math.radians(_symmetric(u[5]) * policy.rotate_degrees),
        shear=math.tan(math.radians(_symmetric(u[6]) * policy.shear_degrees)),
        brightness=1 + _symmetric(u[7]) * policy.brightness,
        contrast=1 + _symmetric(u[8]) * policy.contrast,
        gamma=math.exp(_symmetric(u[9]) * math.log1p(policy.gamma)),
        noise=float(u[10]) * policy.noise,
        blur=float(u[11]) * policy.blur,
        erase=_erased(u[13:18]) if u[12] < policy.erase else None,
        operations=_operations(policy, key),
    )


def _operations(policy: ViewPolicy, key: int) -> tuple[tuple[str, float], ...]:
    """RandAugment's, drawn behind the words of the key and of the noise."""
    if policy.rand_augment is None:
        return ()
    how = RandAugment.read(policy.rand_augment)
    return draw_operations(how, uniforms((key + 2) % 2**128, WORDS * how.count).tolist())


def uniforms(key: int, count: int) -> NDArray[np.float64]:
    """``count`` numbers in [0, 1) from a 128-bit key.

    Made from the generator's raw words, which numpy guarantees never to change, unlike the
    streams of its distributions (NEP 19).
    """
    words: NDArray[np.uint64] = np.random.Philox(key=key).random_raw(count)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _key(seed: int, content_hash: str, view: int) -> int:
    text = f"view/{seed}/{content_hash}/{view}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")


def _symmetric(u: float) -> float:
    """[0, 1) to [-1, 1)."""
    return 2 * float(u) - 1


def _between(bounds: tuple[float, float], u: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * float(u)


def _log_between(bounds: tuple[float, float], u: float) -> float:
    return math.exp(_between((math.log(bounds[0]), math.log(bounds[1])), u))


def _extent(policy: ViewPolicy, u_area: float, u_aspect: float) -> tuple[float, float]:
    """Width and height of the crop as fractions of the image, at most all of it."""
    area, aspect = _between(policy.scale, u_area), _log_between(policy.aspect, u_aspect)
    return min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))


def _place(length: float, u: float) -> float:
    """Centre of an interval of ``length`` that lies inside [0, 1]."""
    return length / 2 + (1 - length) * float(u)


def _erased(u: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """Left, top, right, bottom in [0, 1] of the square, and the gray value painted there."""
    area, aspect = _between(_ERASED_AREA, u[0]), _log_between(_ERASED_ASPECT, u[1])
    width, height = min(1.0, math.sqrt(area * aspect)), min(1.0, math.sqrt(area / aspect))
    left, top = (1 - width) * float(u[2]), (1 - height) * float(u[3])
    return left, top, left + width, top + height, float(u[4])


def _check_range(key: str, value: tuple[float, float], limit: float) -> None:
    right = len(value) == 2 and 0 < value[0] <= value[1] <= limit
    _check(right, key, value, f"two increasing numbers above 0 and at most {limit:g}")


def _check(right: bool, key: str, value: object, rule: str) -> None:
    if not right:
        cure = f"Set views.{key} to {rule}."
        raise RecipeError(where=f"views.{key}", what=f"{value} is impossible", cure=cure)
