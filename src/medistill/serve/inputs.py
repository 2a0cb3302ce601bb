"""From files and folders on the command line to single images, in a fixed order. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medistill.imaging.reader import IMAGE_SUFFIXES, is_image_name


@dataclass(frozen=True)
class Input:
    """One thing to predict.

    Attributes:
        path: the file, or the folder that could not be used.
        problem: why it cannot be predicted; None for a file that is to be read.
    """

    path: Path
    problem: str | None = None


def find_inputs(paths: Iterable[Path]) -> Iterator[Input]:
    """List images in the order given; folders are walked, depth first, sorted by name.

    A file that is named is always tried, whatever its ending. In folders, hidden files and files
    without the ending of an image are left out, and links to folders are not followed. A folder
    without a single image, or that cannot be listed, is listed itself with the problem.

    Args:
        paths: files and folders.
    """
    for path in paths:
        if path.is_dir():
            yield from _walk_or_problem(path)
        else:
            yield Input(path)


def _walk_or_problem(folder: Path) -> Iterator[Input]:
    found = False
    for item in _walk(folder):
        found = True
        yield item
    if not found:
        endings = ", ".join(sorted(suffix.lstrip(".") for suffix in (*IMAGE_SUFFIXES, ".nii.gz")))
        yield Input(folder, f"the folder holds no image ({endings})")


def _walk(folder: Path) -> Iterator[Input]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield Input(folder, f"the folder cannot be listed ({error.strerror})")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _walk(entry)
        elif is_image_name(entry.name):
            yield Input(entry)
