"""Whether masks lie on the pixels of their images, from the headers of both. Torch-free."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from pydicom import dcmread

from medistill.core.counting import agreeing, counted, plural
from medistill.core.errors import DataError
from medistill.data.processes import in_order, piece_size
from medistill.imaging.raster import FORMATS
from medistill.imaging.sniff import is_dicom_file
from medistill.imaging.tiff import full_page, is_tiff

Size = tuple[int, int]
# Those of the EXIF orientations that exchange width and height; there is none above 8.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, range(5, 9)


def check_sizes(pairs: Sequence[tuple[Path, Path]], *, workers: int = 0) -> tuple[str, ...]:
    """Refuse masks of another shape than their image: they lie turned, or are another's.

    Args:
        pairs: images and their masks.
        workers: processes that read the headers; 0 reads here.

    Returns:
        A sentence on masks of the same shape and another size, which are read as the same field.

    Raises:
        DataError: counts those of another shape and names one.
    """
    size = piece_size(len(pairs), workers)
    pieces = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    sizes = (each for piece in in_order(pieces, _sizes, workers=workers) for each in piece)
    known = [(pair, *each) for pair, each in zip(pairs, sizes, strict=True) if None not in each]
    other = [(pair, one, two) for pair, one, two in known if one and two and one != two]
    wrong = [(pair, one, two) for pair, one, two in other if not _alike(one, two)]
    if wrong:
        (image, mask), one, two = wrong[0]
        raise DataError(
            where=mask,
            what=f"is {_words(two)} pixels, its image {image.name} {_words(one)}; "
            f"{len(wrong)} of {plural('mask', len(pairs))} "
            f"{agreeing(len(wrong), 'is|are of another shape than its|their image')}",
            cure="Save each mask at the size and in the orientation of its image.",
        )
    of = counted(len(pairs), "mask|masks")
    words = agreeing(len(other), "is|are of another size than its|their image")
    return (f"{len(other)} of {of} {words}.",) if other else ()


def _sizes(pairs: Sequence[tuple[Path, Path]]) -> list[tuple[Size | None, Size | None]]:
    return [(picture_size(image), picture_size(mask)) for image, mask in pairs]


def picture_size(path: Path) -> Size | None:
    """Width and height of an upright picture, from its header; None if it does not tell.

    Whoever decodes such a file says what is wrong with it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _dicom_size(path) if is_dicom_file(path) else _raster_size(path)
    except Exception:  # a parser of foreign bytes raises anything
        return None


def _dicom_size(path: Path) -> Size:
    header = dcmread(path, specific_tags=["Rows", "Columns"], stop_before_pixels=True)
    return int(header.Columns), int(header.Rows)


def _raster_size(path: Path) -> Size | None:
    with path.open("rb") as stream:
        if is_tiff(stream):
            page = full_page(stream, path)
            return None if page is None else page.upright_size
        return _size_of_one_page(stream)


def _size_of_one_page(stream: BinaryIO) -> Size:
    with Image.open(stream, formats=FORMATS) as image:
        # Of a PNG without these bytes before its pixels the pixels would be decoded.
        told = image.format != "PNG" or "exif" in image.info
        turned = told and image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
        return (image.height, image.width) if turned else (image.width, image.height)


def _alike(one: Size, two: Size) -> bool:
    """Whether one is the other at another scale, up to a rounded pixel."""
    small, large = sorted((one, two))
    return abs(small[0] * large[1] - small[1] * large[0]) <= max(large)


def _words(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
