"""Masks: read as class indices, rendered like the image they belong to. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.data.rendition import View, render_view
from medistill.imaging.preprocessing import Fit

#: Class index of a pixel, or of a whole image, that nobody labelled.
UNKNOWN = 255
# JPEG blurs the edges of a mask; half of white decides (Kvasir-SEG's masks are JPEG).
_HALF = 127
_KEPT_BYTES = 128 * 2**20

Mask = NDArray[np.uint8]


class Masks:
    """The masks of a set by row, read when asked for, and kept as long as they take little.

    What goes beyond is read each time: memory must not grow with the number of images.

    Args:
        samples: the images, in the order of the store.
        classes: number of classes, the background included.
    """

    def __init__(self, samples: Sequence[Sample], classes: int) -> None:
        self.classes = classes
        self._paths = tuple(sample.mask for sample in samples)
        self._kept: dict[int, Mask] = {}
        self._room = _KEPT_BYTES

    def known(self, row: int) -> bool:
        """Whether the image of a row has a mask."""
        return self._paths[row] is not None

    def __getitem__(self, row: int) -> Mask:
        """(H, W) uint8 class indices; one unknown pixel for an image without a mask.

        Raises:
            DataError: the file is no mask of these classes.
        """
        if row in self._kept:
            return self._kept[row]
        path = self._paths[row]
        empty = np.full((1, 1), UNKNOWN, np.uint8)
        mask = empty if path is None else read_mask(path, classes=self.classes)
        if mask.nbytes <= self._room:
            self._kept[row] = mask
            self._room -= mask.nbytes
        return mask


def read_mask(path: Path, *, classes: int) -> Mask:
    """(H, W) uint8 class indices of a mask file.

    A JPEG, or a file of two classes whose values go beyond 1, is white on black: above 127 is class
    1. Any other file holds class indices; 255 is unknown where there are more than two classes.

    Raises:
        DataError: missing, unreadable, or a value that is no class.
    """
    try:
        with Image.open(path) as image:
            lossy = image.format == "JPEG"
            indexed = image.mode in ("L", "P", "1", "I;16", "I")
            pixels = np.asarray(image if indexed else image.convert("L")).astype(np.int64)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(
            where=path, what="the mask cannot be read", cure="Give a PNG of class indices."
        ) from error
    if classes == 2 and (lossy or pixels.max(initial=0) > 1):
        return (pixels > _HALF).astype(np.uint8)
    wrong = np.setdiff1d(np.unique(pixels), [*range(classes), UNKNOWN])
    if lossy or len(wrong):
        what = "a JPEG blurs class indices" if lossy else f"value {wrong[0]} is no class"
        raise DataError(where=path, what=what, cure=f"Give a PNG with values 0 to {classes - 1}.")
    return pixels.astype(np.uint8)


def render_mask(mask: Mask, view: View, *, size: int, fit: Fit, classes: int) -> Mask:
    """A mask under the geometry of a view: each class rendered alone, the strongest wins.

    Args:
        mask: (H, W) class indices, 255 where unknown.
        view: drawn for the image; its photometry is left out.
        size: side of the square in pixels.
        fit: as for the image.
        classes: number of classes.

    Returns:
        (size, size) uint8; what comes from outside the image is background.
    """
    values = [value for value in (*range(classes), UNKNOWN) if (mask == value).any()]
    if len(values) == 1 and values[0] in (0, UNKNOWN):
        return np.full((size, size), values[0], np.uint8)
    plain = View(
        number=view.number,
        key=view.key,
        extent=view.extent,
        centre=view.centre,
        flip=view.flip,
        rotation=view.rotation,
        shear=view.shear,
    )
    full = np.uint16(65535)
    planes = [render_view((mask == value) * full, plain, size=size, fit=fit)[0] for value in values]
    chosen = np.asarray(values, np.uint8)[np.argmax(planes, axis=0)]
    return np.where(np.max(planes, axis=0) > 0, chosen, np.uint8(0)).astype(np.uint8)
