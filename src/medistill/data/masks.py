"""Masks of a set by row, and rendered like the image they belong to. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.core.types import Sample
from medistill.data.rendition import View, render_view
from medistill.imaging.masks import UNKNOWN, read_mask
from medistill.imaging.preprocessing import Fit

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
        self._places = tuple((sample.mask, sample.frame, sample.plane) for sample in samples)
        self._kept: dict[int, Mask] = {}
        self._room = _KEPT_BYTES

    def known(self, row: int) -> bool:
        """Whether the image of a row has a mask."""
        return self._places[row][0] is not None

    def __getitem__(self, row: int) -> Mask:
        """(H, W) uint8 class indices; one unknown pixel for an image without a mask.

        Raises:
            DataError: the file is no mask of these classes.
        """
        if row in self._kept:
            return self._kept[row]
        path, frame, plane = self._places[row]
        if path is None:
            mask = np.full((1, 1), UNKNOWN, np.uint8)
        else:
            mask = read_mask(path, classes=self.classes, frame=frame, plane=plane)
        if mask.nbytes <= self._room:
            self._kept[row] = mask
            self._room -= mask.nbytes
        return mask


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
