"""Where a student looked: attention roll-out or class activation maps, from graph outputs.

Torch-free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["attention-rollout", "class-activation"]


@dataclass(frozen=True, kw_only=True)
class Relevance:
    """How much each region of an image counted.

    Attributes:
        kind: how it was found.
        values: (R, C) in [0, 1]; the largest is 1 unless all are equal.
        target: the class that the map is about; None where the method knows no class.
    """

    kind: Kind
    values: Array
    target: int | None


def attention_rollout(attentions: Sequence[NDArray[np.floating]]) -> Array:
    """Attention rolled out over all blocks, for the class (and distillation) token.

    Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3: with the
    residual connection, A' = (mean over heads of A + I) / 2, and the roll-out is the product of
    all A', the last block leftmost. The rows of all tokens before the patches are averaged.

    Args:
        attentions: one (H, N, N) a block, first block first; rows sum to 1.

    Returns:
        (G, G), each cell the share of its patch; all cells add up to at most 1.

    Raises:
        ValueError: the tokens are not a square of patches and one or two tokens before them.
    """
    tokens = attentions[0].shape[-1]
    side = isqrt(tokens)
    prefix = tokens - side * side
    if prefix not in (1, 2):
        raise ValueError(f"{tokens} tokens are no square of patches with a class token")
    flow = np.eye(tokens)
    for attention in attentions:
        mean = attention.astype(np.float64).mean(axis=0)
        flow = (mean + np.eye(tokens)) / 2 @ flow
    rolled: Array = flow[:prefix, prefix:].mean(axis=0).reshape(side, side)
    return rolled


def class_activation(maps: NDArray[np.floating], target: int) -> Array:
    """The evidence for one class, region by region.

    Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, equation 2;
    evidence against the class is cut off at 0.

    Args:
        maps: (K, R, C): the classifier applied to every region.
        target: number of the class.
    """
    found: Array = np.maximum(maps[target].astype(np.float64), 0)
    return found


def stretched(values: Array) -> Array:
    """Linearly to [0, 1]; all zero where every value is the same."""
    low, high = float(values.min()), float(values.max())
    result: Array = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return result


def shown_box(
    shape: tuple[int, int], fit: Literal["stretch", "crop", "pad"]
) -> tuple[float, float, float, float]:
    """Which part of a picture the student's square covers.

    Args:
        shape: height and width of the picture.
        fit: how the picture was brought to the square.

    Returns:
        Left, top, right and bottom as shares of the picture's width and height; a square that was
        padded reaches beyond [0, 1].
    """
    height, width = shape
    if fit == "stretch":
        return (0.0, 0.0, 1.0, 1.0)
    side = min(shape) if fit == "crop" else max(shape)
    across, down = side / width, side / height
    return ((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)
