"""What is evidently the matter with a path that has no known layout."""

from __future__ import annotations

from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.data.listing import archives_below, is_archive, is_image_file
from medistill.data.table_file import is_table
from medistill.data.table_images import lists_images
from medistill.imaging.sniff import is_dicom_file

_ABOVE = "Give the folder above it, which holds one subfolder of images for each class."
_LABELS = (
    "Put one CSV file beside them, with the columns label and one of file, study and patient; or "
    "give the folder above, if it holds one subfolder for each class."
)


def refuse_evident(path: Path) -> None:
    """Refuse one class of a set, an archive, a folder of archives, and an empty folder.

    Raises:
        DataError: says which of these it is.
    """
    _refuse_loose(path)
    _refuse_packed(path)


def _refuse_loose(path: Path) -> None:
    """One class of a set may have been given instead of all of it."""
    names = sorted(path.iterdir()) if path.is_dir() else []
    loose = [each for each in names if is_image_file(each)]
    table = next((each for each in names if loose and is_table(each) and lists_images(each)), None)
    if table is not None:
        raise DataError(
            where=path,
            what=f"holds images, and {table.name} that lists them",
            cure=f"Give the table ({table}).",
        )
    if loose:
        raise DataError(
            where=path,
            what=f"{counted(len(loose), 'image|images lies|lie directly in it')}, "
            f"for example {loose[0].name}, and no folders",
            cure=_LABELS if any(map(is_dicom_file, loose)) else _ABOVE,
        )


def _refuse_packed(path: Path) -> None:
    """What was downloaded or exported may not have been unpacked, or lie elsewhere."""
    found = archives_below(path) if path.is_dir() else [path]
    packed = next(filter(is_archive, found), None)
    if packed is not None:
        what = "is an archive" if packed == path else f"holds {packed.name}, and no images"
        raise DataError(where=path, what=what, cure="Unpack it, and give the folder of its images.")
    if path.is_dir() and not any(path.iterdir()):
        raise DataError(where=path, what="is empty", cure="Check the path.")
