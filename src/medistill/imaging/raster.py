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
from medistill.imaging.picture import (
    MAX_PIXELS,
    Float,
    Picture,
    check_size,
    frozen,
    reason_of,
    refusal,
)

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
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
    with _named_faults(where), Image.open(stream, formats=_FORMATS) as image:
        _check_header(image, where)
        image.load()
        upright = ImageOps.exif_transpose(image)
        tags = dict(getattr(image, "tag_v2", {}))
        orientation = image.getexif().get(_ORIENTATION, 1)
    width, height = image.size
    turned = () if orientation == 1 else (f"EXIF orientation {orientation}",)
    pixels, steps = _pixels_of(upright, tags, where)
    return Picture(pixels, (f"{image.format} {image.mode} {width}x{height}", *turned, *steps))


@contextmanager
def _named_faults(where: object) -> Iterator[None]:
    """Whatever Pillow raises over a bad file becomes one error that names it."""
    try:
        yield
    except UnidentifiedImageError:
        raise refusal(where, "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI") from None
    except _BOMB:
        raise refusal(where, f"has more than {MAX_PIXELS:,} pixels") from None
    except _DAMAGED as error:
        raise refusal(where, f"is damaged or truncated ({reason_of(error)})") from error


def _check_header(image: Image.Image, where: object) -> None:
    """Refuse by what the header says, before memory is spent on pixels."""
    width, height = image.size
    check_size(where, width=width, height=height)
    frames = int(getattr(image, "n_frames", 1))
    # An MPO file is a photograph followed by its preview: the first frame is the picture.
    if frames > 1 and image.format != "MPO":
        raise refusal(where, f"holds {frames} frames, one is expected")


def _pixels_of(
    image: Image.Image, tags: dict[int, Any], where: object
) -> tuple[Float, tuple[str, ...]]:
    if image.mode == "F" or image.mode.startswith("I"):
        pixels, step = _deep_gray(image, tags, where)
        return pixels, (step,)
    if image.has_transparency_data:
        return _on_black(image), ("alpha on black",)
    return _plain(image), ()


def _deep_gray(image: Image.Image, tags: dict[int, Any], where: object) -> tuple[Float, str]:
    """Gray beyond 8 bits, over the white of its declared depth."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        white, step = 1.0, "float, white 1"
    else:
        # Mode I is what 16-bit files are often saved as; 32 bits have no agreed white.
        bits = tags.get(_TIFF_BITS, (16,))[0] if image.mode.startswith("I;16") else 16
        white, step = float(2**bits - 1), f"{bits}-bit, white {2**bits - 1}"
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > white:
        raise _out_of_range(values, white, where)
    scaled = values / white
    # Pillow inverts 8-bit and 1-bit files whose zero is white, but not the deeper ones.
    return frozen(1 - scaled if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else scaled), step


def _out_of_range(values: NDArray[np.float64], white: float, where: object) -> DataError:
    low, high = np.nanmin(values), np.nanmax(values)
    return DataError(
        where=where,
        what=f"holds values from {low:g} to {high:g}, beyond black 0 and white {white:g}",
        cure="Save it as 8- or 16-bit gray over the full range (CT: after applying a window).",
    )


def _on_black(image: Image.Image) -> Float:
    layers = np.asarray(image.convert("RGBA")).astype(np.float64)
    return frozen(layers[..., :3] / 255 * (layers[..., 3:] / 255))


def _plain(image: Image.Image) -> Float:
    flat = image.convert("L" if image.mode in {"1", "L"} else "RGB")
    return frozen(np.asarray(flat).astype(np.float64) / 255)
