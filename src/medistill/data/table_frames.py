"""Column ``frame`` of a table: which frame of a DICOM file, or slice of a volume, a row means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from medistill.core.counting import plural
from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.data.nifti_pairs import is_volume
from medistill.data.table_file import Table
from medistill.imaging.identity import Identity
from medistill.imaging.nifti import slice_count
from medistill.imaging.sniff import is_dicom_file

FRAME = "frame"
# Programs write whole numbers as 3.0 where other cells of the column are blank.
_NUMBER = re.compile(r"([0-9]{1,9})(\.0+)?")
Frames = Sequence[int | None]


def frames_of(table: Table) -> tuple[int | None, ...]:
    """What the column ``frame`` says, from 0; None for a single picture. One a row.

    Raises:
        DataError: something else than a whole number from 0.
    """
    return tuple(_frame(table, row) for row in range(len(table.rows)))


def framed(name: str, frame: int | None, plane: Plane = "axial") -> str:
    """Name of an image: ``cine.dcm#frame00012``, ``scan.nii.gz#axial00012``, or as its file."""
    if frame is None:
        return name
    return f"{name}#{plane if is_volume(Path(name)) else FRAME}{frame:05}"


def plane_of(path: Path, frame: int | None, plane: Plane) -> Plane:
    """The plane of a slice of a volume; other images have none but the default."""
    return plane if frame is not None and is_volume(path) else "axial"


def check_frames(
    table: Table,
    frames: Frames,
    files: Sequence[Path],
    known: Sequence[Identity | None],
    plane: Plane = "axial",
) -> None:
    """Refuse frames that the files do not have, from their headers.

    What is missing or damaged passes: whoever decodes it will say.

    Args:
        table: for errors.
        frames: one a row.
        files: one a row.
        known: identifiers of those that are DICOM, one a row.
        plane: along which plane volumes are cut.

    Raises:
        DataError: a frame beyond the last one, or of a file that is a single picture.
    """
    counts: dict[Path, int | None] = {}
    for row, (frame, file, identity) in enumerate(zip(frames, files, known, strict=True), start=1):
        if frame is None:
            continue
        if file not in counts:
            counts[file] = _count(file, identity, plane)
        count = counts[file]
        if count is not None and frame >= count:
            raise _beyond(table, row, frame, file, count)


def _frame(table: Table, row: int) -> int | None:
    cell = table.rows[row].get(FRAME, "")
    if not cell:
        return None
    match = _NUMBER.fullmatch(cell)
    if match is None:
        raise DataError(
            where=table.path,
            what=f"row {row + 1} has '{cell[:40]}' in its column '{FRAME}'",
            cure="Write the number of a frame, 0 for the first, or leave the cell empty; call the "
            "column otherwise if it means something else.",
        )
    return int(match[1])


def _count(file: Path, identity: Identity | None, plane: Plane) -> int | None:
    """How many frames or slices a file holds, 0 where it can have none; None where nobody knows."""
    if identity is not None:
        said = identity.frames or "1"
        return max(1, int(said)) if _NUMBER.fullmatch(said) else None
    if not file.is_file() or is_dicom_file(file):
        return None
    if not is_volume(file):
        return 0
    try:
        return slice_count(file, plane)
    except DataError:
        return None


def _beyond(table: Table, row: int, frame: int, file: Path, count: int) -> DataError:
    word = "slice" if is_volume(file) else FRAME
    held = f"holds {plural(word, count)}" if count else "is a single picture"
    cure = f"Name one from 0 to {count - 1}." if count > 1 else "Leave the cell empty."
    if not count:
        cure = "Leave the cell empty; call the column otherwise if it means something else."
    what = f"row {row} names {word} {frame} of {file.name}, which {held}"
    return DataError(where=table.path, what=what, cure=cure)
