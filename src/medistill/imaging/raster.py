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
from medistill.imaging.jpeg import MAGIC as JPEG_MAGIC
from medistill.imaging.jpeg import decode_deep
from medistill.imaging.levels import EIGHT_BITS, SIXTEEN_BITS, Float, Levels
from medistill.imaging.picture import (
    MAX_PIXELS,
    Picture,
    check_size,
    frozen,
    reason_of,
    refusal,
)
from medistill.imaging.png import decode_plain_png
from medistill.imaging.tiff import Deep, Page, decode_tiff, full_page, is_misread, is_tiff

#: What Pillow is asked to recognise.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0
_TIFF_FORMAT, _SIGNED = 339, 2
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
    with named_faults(where):
        plain = decode_plain_png(stream, where)
        if plain is not None:
            return plain
        page = full_page(stream, where) if is_tiff(stream) else None
        try:
            image = opened_image(stream, page)
        except UnidentifiedImageError:
            return _beyond_pillow(stream, where, page)
        with image:
            check_header(image, where)
            if page is not None and is_misread(image):
                return _of_tiff(decode_tiff(stream, where, page), where)
            return _of_pillow(image, where)


def opened_image(stream: BinaryIO, page: Page | None) -> Image.Image:
    """A picture whose pixels are not yet read; of a TIFF file the page that is named.

    Raises:
        UnidentifiedImageError: Pillow does not know it.
    """
    image = Image.open(stream, formats=FORMATS)
    if page is not None and page.number:
        try:
            image.seek(page.number)
        except SyntaxError as error:  # so it calls a depth that it does not know
            raise UnidentifiedImageError from error
    return image


def _of_pillow(image: Image.Image, where: object) -> Picture:
    image.load()
    tags = dict(getattr(image, "tag_v2", {}))
    orientation = image.getexif().get(_ORIENTATION, 1)
    # A picture that is upright would be copied.
    upright = image if orientation == 1 else ImageOps.exif_transpose(image)
    source, steps = _source_of(upright, tags, where)
    width, height = image.size
    turned = () if orientation == 1 else (f"EXIF orientation {orientation}",)
    return Picture(source, (f"{image.format} {image.mode} {width}x{height}", *turned, *steps))


def _beyond_pillow(stream: BinaryIO, where: object, page: Page | None) -> Picture:
    """A depth that Pillow does not know, or no picture at all."""
    if page is not None:
        return _of_tiff(decode_tiff(stream, where, page), where)
    stream.seek(0)
    if stream.read(len(JPEG_MAGIC)) == JPEG_MAGIC:
        stream.seek(0)
        return _of_jpeg(*decode_deep(stream.read(), where), where)
    raise UnidentifiedImageError


def _of_jpeg(values: NDArray[np.uint16], white: int, where: object) -> Picture:
    height, width = values.shape[:2]
    # A damaged lossless stream gives values beyond the depth that its header claims.
    source, step = _over_white(values, white, white.bit_length(), False, where)
    return Picture(source, (f"JPEG {width}x{height}", step))


def _of_tiff(deep: Deep, where: object) -> Picture:
    height, width = deep.values.shape[:2]
    orientation = deep.page.orientation
    turned = () if orientation == 1 else (f"EXIF orientation {orientation}",)
    words = (f"TIFF {width}x{height}", *turned)
    if deep.values.ndim == 3:
        return Picture(Levels(deep.values, EIGHT_BITS), (*words, "planes of 16 bits"))
    white = 1 if deep.values.dtype.kind == "f" else 2**deep.bits - 1
    source, step = _over_white(deep.values, white, deep.bits, deep.white_is_zero, where)
    return Picture(source, (*words, step))


@contextmanager
def named_faults(where: object) -> Iterator[None]:
    """Whatever Pillow raises over a bad file becomes one error that names it."""
    try:
        yield
    except UnidentifiedImageError:
        raise refusal(where, "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI") from None
    except _BOMB:
        raise refusal(where, f"has more than {MAX_PIXELS:,} pixels") from None
    except KeyError as error:
        raise refusal(where, f"is damaged or truncated (it has no entry {error})") from error
    except _DAMAGED as error:
        raise refusal(where, f"is damaged or truncated ({reason_of(error)})") from error


def check_header(image: Image.Image, where: object) -> None:
    """Refuse by what the header says, before memory is spent on pixels; TIFF has no frames here."""
    width, height = image.size
    check_size(where, width=width, height=height)
    frames = int(getattr(image, "n_frames", 1))
    # An MPO file is a photograph followed by its preview: the first frame is the picture.
    if frames > 1 and image.format not in ("MPO", "TIFF"):
        raise refusal(where, f"holds {frames} frames, one is expected")


def _source_of(
    image: Image.Image, tags: dict[int, Any], where: object
) -> tuple[Float | Levels, tuple[str, ...]]:
    if image.mode == "F" or image.mode.startswith("I"):
        source, step = _deep_gray(image, tags, where)
        return source, (step,)
    if image.has_transparency_data:
        return _on_black(image), ("alpha on black",)
    _refuse_negative(image, tags, where)
    return _plain(image), ()


def _refuse_negative(image: Image.Image, tags: dict[int, Any], where: object) -> None:
    """Pillow takes signed 8-bit values for unsigned ones, so that those below black turn bright."""
    signed = set(tags.get(_TIFF_FORMAT, ())) == {_SIGNED}
    if signed and image.mode == "L":
        values = np.asarray(image).view(np.int8)
        if values.min() < 0:
            raise _out_of_range(values, EIGHT_BITS, where)


def _deep_gray(
    image: Image.Image, tags: dict[int, Any], where: object
) -> tuple[Float | Levels, str]:
    """Gray beyond 8 bits, over the white of its declared depth."""
    # Pillow inverts 8-bit and 1-bit files whose zero is white, but not the deeper ones.
    inverted = tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
    values = np.asarray(image)
    if image.mode == "F":
        return _over_white(values, 1, 32, inverted, where)
    # Mode I is what 16-bit files are often saved as; 32 bits have no agreed white.
    bits = tags.get(_TIFF_BITS, (16,))[0] if image.mode.startswith("I;16") else 16
    return _over_white(values, 2**bits - 1, bits, inverted, where)


def _over_white(
    values: NDArray[Any], white: int, bits: int, inverted: bool, where: object
) -> tuple[Float | Levels, str]:
    step = "float, white 1" if white == 1 and bits > 1 else f"{bits}-bit, white {white}"
    if not _within(values, white):
        raise _out_of_range(values, white, where)
    if values.dtype.kind == "f" or inverted:
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
