"""Reads masks and label maps as class indices. Torch-free.

A mask is black and white, and then of two classes, or it holds class indices from 0 (background);
a set of masks has one or the other (``data.mask_classes``), and nothing in between is guessed at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.imaging.nifti import slice_of
from medistill.imaging.nifti_file import named_faults as named_volume_faults
from medistill.imaging.picture import REPLACE, refusal
from medistill.imaging.raster import check_header, named_faults, opened_image
from medistill.imaging.sniff import HEAD_BYTES, is_dicom, is_nifti
from medistill.imaging.tiff import Deep, decode_tiff, full_page, is_misread, is_tiff
from medistill.imaging.unpacked import kept_volume

Classes = NDArray[np.uint8]
Whole = NDArray[np.integer[Any]]
#: Class index of a pixel, or of a whole image, that nobody labelled.
UNKNOWN = 255
JPEG_MASKS = "Masks are JPEG, which blurs their edges: they are cut at half of white (above 127)."
#: What a user does about a mask whose values say nothing.
CURE = "Save it as PNG with class numbers from 0 (background), or with 0 and 255 alone."
_REPLACE_MASK = "Replace the mask, or remove it and its image."
# Foreground of a mask of two classes: 1, or the white of 8 or 16 bits.
_FOREGROUNDS = (1, 255, 65535)
_HALF = 127
_INVERTED = 8
_LOSSY = ("JPEG", "MPO")
_SHOWN = 8
_PIECE = 2**20
# A picture with more values is no mask; a JPEG is one where this share is near black or white.
_FEW, _GRAY, _PLAIN = 32, 32, 0.95


class Held(NamedTuple):
    """What a mask file holds.

    Attributes:
        values: every value, sorted; of a JPEG 0 and 1, cut at half of white.
        lossy: whether it is JPEG.
    """

    values: tuple[int, ...]
    lossy: bool = False


def read_mask(
    path: Path, *, classes: int = 2, frame: int | None = None, plane: Plane = "axial"
) -> Classes:
    """Class of every pixel of a picture, or of a slice of a label map.

    Two classes: 0 is background, and 1 or white (255; 65535 of 16 bits) foreground; a JPEG is cut
    at half of white. Several classes: gray or palette values are class indices, 255 is unknown.

    Args:
        path: PNG, TIFF, BMP, JPEG or NIfTI.
        classes: number of classes with background.
        frame: slice of a label map, from 0; pictures ignore it.
        plane: plane of the slice.

    Returns:
        uint8 of shape (H, W): indices below ``classes``, and ``UNKNOWN``.

    Raises:
        DataError: unreadable, or a value that is no class.
    """
    pixels, lossy = _pixels(path, frame, plane)
    if lossy and classes > 2:
        cure = "Save masks of several classes as PNG."
        raise refusal(path, "is JPEG, which cannot hold class numbers", cure)
    values = _values(pixels)
    if classes == 2:
        if not is_binary(values):
            raise refusal(path, f"holds {listed(values)} where two classes are expected", CURE)
        return (pixels > 0).astype(np.uint8)
    if not set(values) <= {*range(classes), UNKNOWN}:
        cure = f"Give class numbers from 0 to {classes - 1}, and {UNKNOWN} where unknown."
        raise refusal(path, f"holds {listed(values)} for {classes} classes", cure)
    return pixels.astype(np.uint8)


def mask_values(path: Path) -> Held:
    """Every value of a mask, or of all slices of a label map.

    Raises:
        DataError: unreadable, or values that are no whole numbers.
    """
    with _opened(path) as (stream, is_volume):
        if not is_volume:
            pixels, lossy = _picture(stream, path)
            return Held(_values(pixels), lossy)
        volume = kept_volume(stream, path)
        with named_volume_faults(path):
            return Held(_volume_values(volume, path))


def shows_labels(path: Path) -> bool:
    """Whether a picture or volume looks like a mask.

    Its values are two, one of them 0, or small numbers as classes have (and 255 for what is
    unknown); or it is a JPEG without colour and with hardly a gray between black and white. What
    cannot be read as a mask looks like none.
    """
    try:
        held = mask_values(path)
    except DataError:
        return False
    if held.lossy:
        return _is_black_and_white(path)
    return is_binary(held.values) or max({*held.values} - {255}, default=0) <= _FEW


def is_binary(values: Collection[int]) -> bool:
    """Whether a mask with these values is black and white, or 0 and 1."""
    return any(set(values) <= {0, white} for white in _FOREGROUNDS)


def listed(values: Collection[int]) -> str:
    """Values in words, for example ``the values 0, 1, 3``; many are cut short."""
    first = ", ".join(str(value) for value in sorted(values)[:_SHOWN])
    more = len(values) - _SHOWN
    return f"the values {first}" + (f" and {more} more" if more > 0 else "")


def _pixels(path: Path, frame: int | None, plane: Plane) -> tuple[Whole, bool]:
    with _opened(path) as (stream, is_volume):
        if not is_volume:
            return _picture(stream, path)
        values, _ = slice_of(kept_volume(stream, path), where=path, frame=frame, plane=plane)
        return _whole(values, path), False


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """An open mask, and whether it is a volume."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})") from error
    with stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        if is_dicom(head):
            raise refusal(path, "is DICOM, which is not read as a mask", CURE)
        try:
            yield stream, is_nifti(head)
        except DataError as error:
            if error.cure != REPLACE:
                raise
            # Images can be skipped, masks cannot.
            raise refusal(path, error.what, _REPLACE_MASK) from error


def _picture(stream: BinaryIO, path: Path) -> tuple[Whole, bool]:
    """Values of a picture as they are stored, and whether it is JPEG, then cut to 0 and 1."""
    with named_faults(path):
        page = full_page(stream, path) if is_tiff(stream) else None
        try:
            image = opened_image(stream, page)
        except UnidentifiedImageError:
            if page is None:
                raise
            return _of_tiff(decode_tiff(stream, path, page), path), False
        with image:
            check_header(image, path)
            if page is not None and is_misread(image):
                return _of_tiff(decode_tiff(stream, path, page), path), False
            return _of_pillow(image, path)


def _of_pillow(image: Image.Image, path: Path) -> tuple[Whole, bool]:
    upright = ImageOps.exif_transpose(image)
    if image.format in _LOSSY:
        return (np.asarray(upright.convert("L")) > _HALF).astype(np.uint8), True
    if upright.mode in ("1", "L", "P") or upright.mode.startswith("I"):
        values = np.asarray(upright)
        return values.astype(np.uint8) if upright.mode == "1" else values, False
    return _gray(upright, path), False


def _is_black_and_white(path: Path) -> bool:
    """Whether a JPEG is black, white or both, without colour: its edges alone are blurred."""
    with _opened(path) as (stream, _), named_faults(path), opened_image(stream, None) as image:
        layers = np.asarray(image.convert("RGB")).astype(np.int16)
    black, white = layers.max(-1) <= _GRAY, layers.min(-1) >= 255 - _GRAY
    colourless = np.ptp(layers, axis=-1).max() <= _GRAY
    parted = (black | white).mean() >= _PLAIN and black.any() and white.any()
    return bool(colourless and (parted or black.all() or white.all()))


def _of_tiff(deep: Deep, path: Path) -> Whole:
    if deep.values.ndim == 3:
        what = "is TIFF with separate planes of colour, gray is expected of a mask"
        raise refusal(path, what, CURE)
    values = _whole(deep.values, path)
    # As Pillow does: up to 8 bits it inverts what is stored so.
    return 2**deep.bits - 1 - values if deep.white_is_zero and deep.bits <= _INVERTED else values


def _gray(image: Image.Image, path: Path) -> Whole:
    """The one channel of a gray picture that is stored in colour."""
    if image.mode == "F":
        return _whole(np.asarray(image), path)
    layers = np.asarray(image.convert("RGBA"))
    if (layers[..., 3] < 255).any():
        raise refusal(path, "is partly transparent, gray is expected of a mask", CURE)
    if (layers[..., :3] != layers[..., :1]).any():
        raise refusal(path, "is a picture in colour, gray is expected of a mask", CURE)
    return np.ascontiguousarray(layers[..., 0])


def _volume_values(volume: Any, path: Path) -> tuple[int, ...]:
    """Slab by slab, since a label map may be stored as 8 bytes a voxel."""
    tail = (0,) * (len(volume.shape) - 3)
    held: set[int] = set()
    for number in range(volume.shape[2]):
        slab = np.asarray(volume.dataobj[(slice(None), slice(None), number, *tail)])
        held.update(_values(_whole(slab, path)))
    return tuple(sorted(held))


def _whole(values: NDArray[np.generic], path: Path) -> Whole:
    if np.issubdtype(values.dtype, np.integer):
        return cast("Whole", values)
    numbers = np.asarray(values, dtype=np.float64)
    if not np.isfinite(numbers).all() or (numbers != np.rint(numbers)).any():
        raise refusal(path, "holds values that are no class numbers", CURE)
    return numbers.astype(np.int64)


def _values(pixels: Whole) -> tuple[int, ...]:
    """Every value, sorted; piece by piece, since counting takes 8 bytes a pixel."""
    flat, held = pixels.ravel(order="K"), set[int]()
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        small = piece.dtype in (np.uint8, np.uint16)
        found = np.flatnonzero(np.bincount(piece)) if small else np.unique(piece)
        held.update(found.tolist())
    return tuple(sorted(held))
