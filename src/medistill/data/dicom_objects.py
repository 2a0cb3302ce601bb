"""DICOM files that hold no picture: reports, presentation states, structures, plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from medistill.core.counting import counted

_LEFT_OUT = (
    "DICOM file|files holds|hold no picture (reports, structures, plans, maps) and is|are left out"
)
_STORAGE, _IMAGE = "Storage", "Image"


def without_picture(paths: Mapping[str, Path], names: Iterable[str]) -> frozenset[str]:
    """Which DICOM files hold something else than an image.

    Args:
        paths: files by name.
        names: those that are DICOM.
    """
    return frozenset(name for name in names if not _may_hold_picture(paths[name]))


def left_out(names: Collection[str]) -> tuple[str, ...]:
    """A sentence on the files that hold no picture, if there are any."""
    if not names:
        return ()
    return (f"{counted(len(names), _LEFT_OUT)}, for example {min(names)}.",)


def _may_hold_picture(path: Path) -> bool:
    """By its storage class (PS3.6, annex A); who decodes a file that names none will say."""
    try:
        found = read_file_meta_info(path).get("MediaStorageSOPClassUID", "")
    except Exception:  # a parser of foreign bytes raises anything
        return True
    word = UID(str(found)).name
    return _STORAGE not in word or _IMAGE in word
