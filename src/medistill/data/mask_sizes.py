"""Whether masks lie on the pixels of their images, from the headers of both. Torch-free."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from pydicom import dcmread

from medistill.core.errors import DataError
from medistill.data.listing import is_dicom_file
from medistill.data.processes import in_order, piece_size
from medistill.imaging.raster import FORMATS

Size = tuple[int, int]
# Of the EXIF orientations 1 to 8 those from 5 exchange width and height.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, 5


def refuse_other_sizes(pairs: Sequence[tuple[Path, Path]], *, workers: int = 0) -> None:
    """Refuse masks of another size than their image: they may lie turned, or be another's.

    Args:
        pairs: images and their masks.
        workers: processes that read the headers; 0 reads here.

    Raises:
        DataError: counts them and names one.
    """
    size = piece_size(len(pairs), workers)
    pieces = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    sizes = (each for piece in in_order(pieces, _sizes, workers=workers) for each in piece)
    wrong = [(pair, *each) for pair, each in zip(pairs, sizes, strict=True) if _differ(*each)]
    if wrong:
        (image, mask), one, two = wrong[0]
        raise DataError(
            where=mask,
            what=f"is {_words(two)} pixels, its image {image.name} {_words(one)}; "
            f"{len(wrong)} of {len(pairs)} masks are of another size than their image",
            cure="Save each mask at the size and in the orientation of its image.",
        )


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


def _raster_size(path: Path) -> Size:
    with Image.open(path, formats=FORMATS) as image:
        turned = image.getexif().get(_ORIENTATION, 1) >= _ON_ITS_SIDE
        return (image.height, image.width) if turned else (image.width, image.height)


def _differ(one: Size | None, two: Size | None) -> bool:
    return one is not None and two is not None and one != two


def _words(size: Size | None) -> str:
    return "unknown" if size is None else f"{size[0]} x {size[1]}"
