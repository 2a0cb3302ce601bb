"""Masks of a segmenting student: their areas, and back to the picture's geometry. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import MedistillError
from medistill.core.files import atomic_file
from medistill.core.types import Task
from medistill.imaging.preprocessing import Fit
from medistill.serve.relevance import shown_box

Mask = NDArray[np.uint8]


def class_mask(held: NDArray[np.bool_]) -> Mask:
    """Number of the class at each pixel.

    Args:
        held: (K, H, W), one True along the first axis; at most 256 classes.
    """
    numbers: Mask = held.argmax(axis=0).astype(np.uint8)
    return numbers


def onto_picture(mask: Mask, shape: tuple[int, int], fit: Fit) -> Mask:
    """Undo the geometry of ``imaging.render``; what a crop left out becomes class 0.

    Args:
        mask: (S, S) class numbers.
        shape: height and width of the picture.
        fit: how the picture was brought to the square.

    Returns:
        uint8 of ``shape``; nearest neighbour, since class numbers cannot be averaged.
    """
    height, width = shape
    left, top, right, bottom = shown_box(shape, fit)
    size = (round((right - left) * width), round((bottom - top) * height))
    square = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    across, down = round(left * width), round(top * height)
    whole = np.zeros(shape, np.uint8)
    rows = slice(max(0, down), min(height, down + size[1]))
    columns = slice(max(0, across), min(width, across + size[0]))
    whole[rows, columns] = square[
        rows.start - down : rows.stop - down, columns.start - across : columns.stop - across
    ]
    return whole


def area_shares(mask: Mask, classes: int) -> tuple[float, ...]:
    """Share of the pixels that each class takes; they add up to 1."""
    counts = np.bincount(mask.ravel(), minlength=classes)
    return tuple(float(count) / mask.size for count in counts[:classes])


def mask_writer(folder: Path | None, task: Task) -> Callable[[Any], None]:
    """Writes the mask of each prediction as PNG: its place in the output, then the file's name.

    Args:
        folder: an existing folder; None writes nothing.
        task: of the bundle.

    Raises:
        MedistillError: there is no such folder, or the bundle gives no masks.
    """
    if folder is None:
        return lambda found: None
    if task != "segmentation":
        cure = "Leave --masks out."
        raise MedistillError(where="--masks", what="this bundle classifies", cure=cure)
    if not folder.is_dir():
        raise MedistillError(where=folder, what="there is no such folder", cure="Create it first.")
    numbers = count(1)

    def write(found: Any) -> None:
        number = next(numbers)
        if found.mask is not None:
            with atomic_file(folder / f"{number:06}-{Path(found.path).stem}.png") as stream:
                Image.fromarray(found.mask).save(stream, "PNG")

    return write
