"""Measures of a mask against its truth: overlap, distance of surfaces, boundaries.

Dimension key: H W sides of an image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medistill.evaluate.arrays import Floats

Mask = NDArray[np.bool_]

#: How far a boundary may be off, as a share of the image's diagonal (Csurka et al., BMVC 2013).
TOLERANCE = 0.0075
MEASURES = ("dice", "iou", "hd95", "boundary_f")


class Overlap(NamedTuple):
    """Measures of one class in one image.

    Attributes:
        dice: twice the common pixels over both sums; NaN where both masks are empty.
        iou: common pixels over those of either; NaN where both are empty.
        hd95: 95th percentile of the distances between both boundaries, in pixels; the image's
            diagonal where one mask is empty, NaN where both are.
        boundary_f: harmonic mean of the shares of either boundary that lies near the other; NaN
            where both masks are empty.
    """

    dice: float
    iou: float
    hd95: float
    boundary_f: float


def overlap(predicted: Mask, truth: Mask) -> Overlap:
    """Measures of one class in one image.

    Args:
        predicted: (H, W) bool.
        truth: (H, W) bool.

    Raises:
        ValueError: the shapes differ.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"a mask of {predicted.shape} against one of {truth.shape}")
    both, either = int((predicted & truth).sum()), int((predicted | truth).sum())
    if either == 0:
        return Overlap(np.nan, np.nan, np.nan, np.nan)
    dice, iou = 2 * both / (int(predicted.sum()) + int(truth.sum())), both / either
    diagonal = float(np.hypot(*truth.shape))
    if not predicted.any() or not truth.any():
        return Overlap(dice, iou, diagonal, 0.0)
    there, back = boundary_distances(predicted, truth)
    hd95 = float(np.percentile(np.concatenate([there, back]), 95))
    near = max(1.0, TOLERANCE * diagonal)
    precision, recall = float((there <= near).mean()), float((back <= near).mean())
    total = precision + recall
    return Overlap(dice, iou, hd95, 2 * precision * recall / total if total else 0.0)


def boundary(mask: Mask) -> Mask:
    """Pixels of a mask that touch its outside; the image's border is outside."""
    edge: Mask = mask & ~ndimage.binary_erosion(mask)
    return edge


def boundary_distances(first: Mask, second: Mask) -> tuple[Floats, Floats]:
    """Distance in pixels of each boundary pixel to the other boundary, both ways."""
    edges = boundary(first), boundary(second)
    maps = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return maps[1][edges[0]], maps[0][edges[1]]


def image_measures(
    predicted: NDArray[np.uint8], truth: NDArray[np.uint8], *, classes: int, unknown: int = 255
) -> Floats:
    """(classes - 1, 4) measures of the foreground classes of one image, in the order of MEASURES.

    Args:
        predicted: (H, W) class indices.
        truth: (H, W) class indices; pixels of ``unknown`` count as neither.
        classes: number of classes, the background (0) included.
        unknown: value of pixels that nobody labelled.
    """
    known = truth != unknown
    rows = [
        overlap((predicted == value) & known, (truth == value) & known)
        for value in range(1, classes)
    ]
    return np.asarray(rows, dtype=np.float64)
