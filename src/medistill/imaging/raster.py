"""Reads PNG, JPEG, TIFF and BMP into float pixels, whatever their mode. Torch-free.

The same picture saved as gray, RGB, RGBA, palette or 16-bit gray gives the same numbers, since
every mode is divided by the white that it declares and never by what the image happens to hold.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from medistill.core.errors import DataError
from medistill.imaging.levels import EIGHT_BITS, SIXTEEN_BITS, Float, Levels
from medistill.imaging.picture import (
    MAX_PIXELS,
    Picture,
    check_size,
    frozen,
    reason_of,
    refusal,
)

#: What Pillow is asked to recognise.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError)
_DAMAGED = (*_UNREADABLE, OverflowError, MemoryError, struct.error, zlib.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode_raster(stream: BinaryIO, *, where: object) -> Picture:
    """Decode an open PNG, JPEG, TIFF or BMP file.

    Alpha is composited on black: an opaque image is unchanged to the last bit, and whatever lies
    under full transparency cannot reach a model. 16-bit and 12-bit images are divided by the white
    of their declared depth. EXIF orientation is applied.

    Args:
        stream: the encoded image, positioned at its start.
        where: how errors name it.

    Raises:
        DataError: not an image, truncated, of several frames, or too large.
    """
    with named_faults(where), Image.open(stream, formats=FORMATS) as image:
        check_header(image, where)
        image.load()
        tags = dict(getattr(image, "tag_v2", {}))
        orientation = image.getexif().get(_ORIENTATION, 1)
        # A picture that is upright would be copied.
        upright = image if orientation == 1 else ImageOps.exif_transpose(image)
        source, steps = _source_of(upright, tags, where)
    width, height = image.size
    turned = () if orientation == 1 else (f"EXIF orientation {orientation}",)
    return Picture(source, (f"{image.format} {image.mode} {width}x{height}", *turned, *steps))


@contextmanager
def named_faults(where: object) -> Iterator[None]:
    """Whatever Pillow raises over a bad file becomes one error that names it."""
    try:
        yield
    except UnidentifiedImageError:
        raise refusal(where, "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI") from None
    except _BOMB:
        raise refusal(where, f"has more than {MAX_PIXELS:,} pixels") from None
    except _DAMAGED as error:
        raise refusal(where, f"is damaged or truncated ({reason_of(error)})") from error


def check_header(image: Image.Image, where: object) -> None:
    """Refuse by what the header says, before memory is spent on pixels."""
    width, height = image.size
    check_size(where, width=width, height=height)
    frames = int(getattr(image, "n_frames", 1))
    # An MPO file is a photograph followed by its preview: the first frame is the picture.
    if frames > 1 and image.format != "MPO":
        raise refusal(where, f"holds {frames} frames, one is expected")


def _source_of(
    image: Image.Image, tags: dict[int, Any], where: object
) -> tuple[Float | Levels, tuple[str, ...]]:
    if image.mode == "F" or image.mode.startswith("I"):
        source, step = _deep_gray(image, tags, where)
        return source, (step,)
    if image.has_transparency_data:
        return _on_black(image), ("alpha on black",)
    return _plain(image), ()


def _deep_gray(
    image: Image.Image, tags: dict[int, Any], where: object
) -> tuple[Float | Levels, str]:
    """Gray beyond 8 bits, over the white of its declared depth."""
    values = np.asarray(image)
    if image.mode == "F":
        white, step = 1, "float, white 1"
    else:
        # Mode I is what 16-bit files are often saved as; 32 bits have no agreed white.
        bits = tags.get(_TIFF_BITS, (16,))[0] if image.mode.startswith("I;16") else 16
        white, step = 2**bits - 1, f"{bits}-bit, white {2**bits - 1}"
    if not _within(values, white):
        raise _out_of_range(values, white, where)
    # Pillow inverts 8-bit and 1-bit files whose zero is white, but not the deeper ones.
    inverted = tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    if image.mode == "F" or inverted:
        scaled = values.astype(np.float64) / white
        return frozen(1 - scaled if inverted else scaled), step
    return Levels(values.astype(np.uint16, copy=False), white), step


def _within(values: NDArray[np.generic], white: int) -> bool:
    if values.dtype == np.uint16 and white == SIXTEEN_BITS:
        return True
    return bool(np.isfinite(values).all() and values.min() >= 0 and values.max() <= white)


def _out_of_range(values: NDArray[np.generic], white: int, where: object) -> DataError:
    low, high = np.nanmin(values), np.nanmax(values)
    return DataError(
        where=where,
        what=f"holds values from {low:g} to {high:g}, beyond black 0 and white {white:g}",
        cure="Save it as 8- or 16-bit gray over the full range (CT: after applying a window).",
    )


def _on_black(image: Image.Image) -> Float | Levels:
    layers = np.asarray(image.convert("RGBA"))
    colour, alpha = layers[..., :3], layers[..., 3:]
    if alpha.size and alpha.min() == EIGHT_BITS:
        return Levels(np.ascontiguousarray(colour), EIGHT_BITS)
    return frozen(colour.astype(np.float64) / 255 * (alpha.astype(np.float64) / 255))


def _plain(image: Image.Image) -> Levels:
    flat = image if image.mode == "L" else image.convert("L" if image.mode == "1" else "RGB")
    return Levels(np.asarray(flat), EIGHT_BITS)
