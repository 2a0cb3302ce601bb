"""Which of some folders holds the masks of another: by what the files show, whatever they say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from medistill.core.errors import DataError
from medistill.data.listing import files_below, is_image_file
from medistill.imaging.masks import mask_values, shows_labels

#: So many files of a folder are looked at, and so many for one that is not of one value.
_TRIED, _SOUGHT = 5, 50
#: Share of the masks that have an image of their name, from which they belong together.
_NAMED = 0.9


def masks_of_images(
    folders: Sequence[Path], names: Callable[[Path, Path], Collection[str]]
) -> tuple[Path, Path] | None:
    """A folder of images and that of their masks, or None.

    The files of the one must look like masks and those of the other must not, and nearly all masks
    must be called as an image is: classes may be numbered alike, but none of them is black and
    white throughout.

    Args:
        folders: among which to look.
        names: how the mask of an image below a folder, given as (image, folder), may be called.
    """
    drawn = [folder for folder in folders if _shows(folder, labels=True)]
    for masks in drawn:
        for images in folders:
            if images not in drawn and _belong(images, masks, names):
                return images, masks
    return None


def _shows(folder: Path, *, labels: bool) -> bool:
    """Whether the first files of a folder all look like masks, or none does.

    An empty mask looks like any black picture, so some must not be empty.
    """
    found = list(islice(_images(folder), _TRIED))
    alike = bool(found) and all(shows_labels(path) is labels for path in found)
    return alike and (not labels or any(map(_parts, islice(_images(folder), _SOUGHT))))


def _parts(path: Path) -> bool:
    """Whether a mask has more than one value."""
    try:
        return len(mask_values(path).values) > 1
    except DataError:
        return False


def _belong(images: Path, masks: Path, names: Callable[[Path, Path], Collection[str]]) -> bool:
    sought = {name for path in _images(images) for name in names(path, images)}
    held = [names(path, masks) for path in _images(masks)]
    common = sum(any(name in sought for name in each) for each in held)
    return _shows(images, labels=False) and common >= max(1, _NAMED * len(held))


def _images(folder: Path) -> Iterator[Path]:
    return filter(is_image_file, files_below(folder))
