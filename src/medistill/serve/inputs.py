"""From files and folders on the command line to single pictures, in a fixed order. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medistill.core.errors import DataError, MissingExtraError
from medistill.core.types import Plane
from medistill.imaging.nifti import slice_count
from medistill.imaging.reader import IMAGE_SUFFIXES, is_image_name
from medistill.imaging.sniff import is_dicom_file
from medistill.serve.stamp import Stamp


@dataclass(frozen=True)
class Input:
    """One picture to predict.

    Attributes:
        path: the file, or the folder that could not be used.
        problem: why it cannot be predicted; None for a file that is to be read.
        frame: slice of a volume, from 0; None for a file that is one picture.
        frames: slices of the volume along the plane; 1 for a file that is one picture.
        plane: along which plane a volume is cut.
        stamp: what the file was before it was read; None where nobody asked.
    """

    path: Path
    problem: str | None = None
    frame: int | None = None
    frames: int = 1
    plane: Plane = "axial"
    stamp: Stamp | None = None

    @property
    def name(self) -> str:
        """The path, and for a slice its plane and number: ``scan.nii.gz#axial00012``."""
        return f"{self.path}" if self.frame is None else f"{self.path}#{self.plane}{self.frame:05}"

    @property
    def stem(self) -> str:
        """What files about this picture are called, without their ending: ``scan-1f0c9a3e``.

        The picture's own, with eight digits of the hash of its whole name behind, so that equal
        names of two folders stay apart and the same command writes the same files.
        """
        plain = self.path.name.removesuffix(".gz")
        own = plain.rpartition(".")[0] or plain
        slice_ = self.name.removeprefix(str(self.path)).replace("#", "-")
        tag = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{own}{slice_}-{tag}"


def find_inputs(paths: Iterable[Path], plane: Plane = "axial") -> Iterator[Input]:
    """List pictures in the order given; folders are walked, depth first, sorted by name.

    A file that is named is always tried, whatever its ending. In folders, hidden files are left
    out, and so are files that have neither the ending of an image nor the first bytes of DICOM;
    links to folders are not followed. A volume is listed slice by slice. A folder without a single
    image, or that cannot be listed, is listed itself with the problem.

    Args:
        paths: files and folders.
        plane: along which plane volumes are cut.
    """
    for path in paths:
        found = _walk_or_problem(path) if _is_folder(path) else iter([Input(path)])
        for item in found:
            yield from _slices(item, plane)


def _slices(item: Input, plane: Plane) -> Iterator[Input]:
    if item.problem is not None or not item.path.name.lower().endswith((".nii", ".nii.gz")):
        yield item
        return
    try:
        count = slice_count(item.path, plane)
    except DataError as error:
        yield Input(item.path, error.what)
    except MissingExtraError as error:
        yield Input(item.path, f"{error.what}. {error.cure}")
    else:
        for number in range(count):
            yield Input(item.path, frame=number, frames=count, plane=plane)


def _walk_or_problem(folder: Path) -> Iterator[Input]:
    found = False
    for item in _walk(folder):
        found = True
        yield item
    if not found:
        endings = ", ".join(sorted(suffix.lstrip(".") for suffix in (*IMAGE_SUFFIXES, ".nii.gz")))
        yield Input(folder, f"the folder holds no image ({endings}, or DICOM of any name)")


def _walk(folder: Path) -> Iterator[Input]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield Input(folder, f"the folder cannot be listed ({error.strerror})")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            if not entry.is_symlink():
                yield from _walk(entry)
        elif is_image_name(entry.name) or is_dicom_file(entry):
            yield Input(entry)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a closed folder above it, or too long a name: whoever opens it says so
        return False
