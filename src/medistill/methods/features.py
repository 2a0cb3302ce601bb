"""How methods find a network's layers, and see tokens as maps.

Dimension key: B batch, N tokens, D width, C channels, H W sides of a map.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from torch import Tensor
from torch.nn import functional

from medistill.core.errors import RecipeError

_KINDS = ("tokens.", "stage", "level")


def layers(names: Collection[str]) -> tuple[str, ...]:
    """The layers among feature names, first to last: those of tokens, else those of maps."""
    for kind in _KINDS:
        found = [name for name in names if name.startswith(kind)]
        if found:
            return tuple(sorted(found, key=lambda name: int(name.removeprefix(kind))))
    return ()


def spread(names: Sequence[str], count: int) -> tuple[str, ...]:
    """``count`` of the layers at even distances, the last included; all where there are fewer."""
    total = len(names)
    chosen = {max(0, round(total * (i + 1) / count) - 1) for i in range(count)}
    return tuple(names[index] for index in sorted(chosen) if index < total)


def require_layers(names: Collection[str], count: int, *, method: str) -> tuple[str, ...]:
    """Layers of a student that a method guides.

    Raises:
        RecipeError: the student shows fewer than ``count``.
    """
    found = layers(names)
    if len(found) < count:
        raise RecipeError(
            where="student",
            what=f"it shows {len(found)} layers, and {method} guides {count}",
            cure="Choose a deeper student, or another method.",
        )
    return found


def as_map(feature: Tensor) -> Tensor:
    """(B, C, H, W) of a map, or of (B, N, D) tokens whose last ones are a square of patches."""
    if feature.dim() == 4:
        return feature
    side = math.isqrt(feature.shape[1])
    patches = feature[:, feature.shape[1] - side * side :]
    return patches.transpose(1, 2).reshape(feature.shape[0], feature.shape[2], side, side)


def normalised_map(feature: Tensor) -> Tensor:
    """``as_map``, layer-normed over the channels of each place, without learned scale; float32."""
    places = as_map(feature).float().movedim(1, -1)
    return functional.layer_norm(places, places.shape[-1:]).movedim(-1, 1)


def map_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C, H, W) that ``as_map`` makes of a feature of this shape without the batch."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    side = math.isqrt(shape[0])
    return shape[1], side, side


def is_placed(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a feature of this shape without the batch has a place in the image for each number.

    An attention (H, N, N) has as many sides as a map, and says something of pairs.
    """
    return len(shape) in (2, 3) and not name.startswith("attention.")


def require_maps(dims: Mapping[str, tuple[int, ...]], names: Sequence[str], *, key: str) -> None:
    """Refuse teacher features that are no maps.

    Raises:
        RecipeError: a feature has neither height and width nor patches.
    """
    for name in names:
        if not is_placed(name, dims[name]):
            raise RecipeError(
                where=key,
                what=f"the teacher's '{name}' has no positions",
                cure="Name a stage or tokens of the teacher.",
            )
