"""Which of some folders holds the masks of another: by what the files show, whatever they say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from medistill.data.listing import files_below, is_image_file
from medistill.imaging.masks import shows_labels

#: So many files of a folder are looked at; more than so many folders are never images and masks.
_TRIED, _MOST_FOLDERS = 5, 8
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
    if not 2 <= len(folders) <= _MOST_FOLDERS:
        return None
    drawn = [folder for folder in folders if _shows(folder, labels=True)]
    for masks in drawn:
        for images in folders:
            if images not in drawn and _belong(images, masks, names):
                return images, masks
    return None


def _shows(folder: Path, *, labels: bool) -> bool:
    """Whether the first files of a folder all look like masks, or none does."""
    found = list(islice(_images(folder), _TRIED))
    return bool(found) and all(shows_labels(path) is labels for path in found)


def _belong(images: Path, masks: Path, names: Callable[[Path, Path], Collection[str]]) -> bool:
    sought = {name for path in _images(images) for name in names(path, images)}
    held = [names(path, masks) for path in _images(masks)]
    common = sum(any(name in sought for name in each) for each in held)
    return _shows(images, labels=False) and common >= max(1, _NAMED * len(held))


def _images(folder: Path) -> Iterator[Path]:
    return filter(is_image_file, files_below(folder))
