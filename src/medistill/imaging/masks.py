"""Reads masks and label maps as class numbers. Torch-free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.imaging.nifti import open_volume, slice_of
from medistill.imaging.picture import check_size, refusal
from medistill.imaging.reader import read_image
from medistill.imaging.sniff import HEAD_BYTES, is_nifti

Classes = NDArray[np.uint8]
JPEG_MASKS = "Masks are JPEG, which blurs their edges: they are cut at half of white (above 127)."
_MOST = 255


def read_mask(
    path: Path, *, classes: int = 2, frame: int | None = None, plane: Plane = "axial"
) -> Classes:
    """Class of every pixel.

    Binary masks (``classes=2``): above half of white is 1, whatever the format. Several classes:
    gray or palette values, or a NIfTI label map's, are class numbers; JPEG cannot hold them.

    Args:
        path: the mask.
        classes: number of classes with background.
        frame: slice of a label map, from 0.
        plane: plane of the slice.

    Returns:
        uint8 of shape (H, W) in ``range(classes)``.

    Raises:
        DataError: unreadable, or a value that is no class.
    """
    if _is_volume(path):
        with path.open("rb") as stream:
            values, _ = slice_of(open_volume(stream, path), where=path, frame=frame, plane=plane)
        return _checked(values, path, classes)
    if classes > 2:
        return _checked(_indices(path), path, classes)
    pixels = read_image(path, frame=frame).pixels
    gray = pixels if pixels.ndim == 2 else pixels.max(axis=-1)
    if gray.size and 0 < float(gray.max()) < 1.5 / _MOST:
        # Masks of 0 and 1 in 8 bits.
        return (gray > 0).astype(np.uint8)
    return (gray > 127.5 / 255).astype(np.uint8)


def label_volume(path: Path) -> NDArray[np.int64]:
    """Every class number that a NIfTI label map holds, sorted.

    Raises:
        DataError: damaged, or values that are no class numbers.
    """
    with path.open("rb") as stream:
        volume = open_volume(stream, path)
        try:
            values = np.unique(np.asarray(volume.dataobj))
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise refusal(path, f"is damaged or truncated ({error})") from error
    return _checked(values, path, _MOST + 1).astype(np.int64)


def _is_volume(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return is_nifti(stream.read(HEAD_BYTES))
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})") from error


def _indices(path: Path) -> NDArray[np.float64]:
    """Gray or palette values as they are stored."""
    try:
        with Image.open(path, formats=("PNG", "TIFF", "BMP", "JPEG")) as image:
            check_size(path, width=image.size[0], height=image.size[1])
            if image.format == "JPEG":
                cure = "Save masks of several classes as PNG."
                raise refusal(path, "is JPEG, which cannot hold class numbers", cure)
            if image.mode not in ("1", "L", "P", "I", "I;16"):
                raise refusal(path, f"has mode {image.mode}, class numbers are expected in gray")
            return np.asarray(image).astype(np.float64)
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refusal(path, f"is damaged or truncated ({error})") from error


def _checked(values: NDArray[np.generic], path: Path, classes: int) -> Classes:
    numbers = np.asarray(values, dtype=np.float64)
    whole = np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all()
    if not whole or numbers.size and (numbers.min() < 0 or numbers.max() >= classes):
        cure = "Number the classes from 0 (background)."
        what = f"holds values from {numbers.min():g} to {numbers.max():g} for {classes} classes"
        raise refusal(path, what, cure)
    return numbers.astype(np.uint8)
