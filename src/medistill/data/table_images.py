"""Which image files the rows of a table name, and which of them belong together."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from medistill.core.counting import plural
from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.data.dicom_groups import groups_of_files, identities
from medistill.data.folder import NO_PATIENTS
from medistill.data.perceptual import Progress
from medistill.data.split_folders import SPLIT_FOLDERS
from medistill.data.table_file import LABELS, Table, agreed, filled, load_table, missing_column
from medistill.data.table_frames import FRAME, Frames, check_frames, framed, frames_of
from medistill.imaging.identity import Identity

PATH = "path"
#: What else the column of image files is called; read where none is called ``path``.
PATH_NAMES = (
    *("image", "img", "file", "filename", "file_name", "file name", "filepath", "file_path"),
    *("image_path", "image path", "imagepath", "img_path", "image_file", "image_name"),
    *("image_filename", "image name"),
)
# How PadChest says where an image lies.
_FOLDER, _FILE = "imagedir", "imageid"
_GROUPS = ("patient", "group")
#: How archives head a column of patients; read where none is called ``patient`` or ``group``.
PATIENT_IDS = ("patient_id", "patientid", "patient id", "patient-id")
#: Columns with a meaning of their own, beside another name of ``path``; every other one is a class
#: or an attribute.
OWN_COLUMNS = frozenset({PATH, FRAME, "split", *LABELS, *_GROUPS, *PATIENT_IDS})
_PATIENT_FOLDER = re.compile(r"(?:^|/)(patient[ _-]?\d+)/", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What the rows of a table say of their images, whatever else they hold.

    Attributes:
        root: what the paths are relative to.
        files: image file by name, in the order of the rows; several rows may name one file.
        frames: frame of the file, or slice of the volume, or None; one a row.
        groups: what must not be cut by a split, one a row.
        splits: train, val, test or None, one a row.
        group_word: what a group is.
        named: whether the table or the file says the group; else it is a guess. One a row.
        known: identifiers of the files that are DICOM, by name.
    """

    root: Path
    files: Mapping[str, Path]
    frames: Frames
    groups: tuple[str, ...]
    splits: tuple[str | None, ...]
    group_word: str
    named: tuple[bool, ...]
    known: Mapping[str, Identity]

    @property
    def caveats(self) -> tuple[str, ...]:
        """That no patients are known, where none are."""
        return () if self.group_word == "patient" else (NO_PATIENTS,)


def listed_images(
    table: Table,
    *,
    plane: Plane = "axial",
    workers: int = 0,
    progress: Progress | None = None,
) -> Listed:
    """The images of a table's column of paths, relative to its folder, and its column ``frame``.

    Where the table names no patients, DICOM files do.

    Args:
        table: the table.
        plane: along which plane slices of volumes are numbered.
        workers: processes that read what DICOM files say of themselves.
        progress: called with (done, total) as they are read.

    Raises:
        DataError: no such column, an empty cell, an image listed twice, an unknown split, groups
            that differ in the zeros before a number alone, a frame that is not there, or a file of
            two groups.
    """
    column = path_column(table)
    if column is None:
        missing_column(table, PATH)
    cells = [slashed(table.path.parent, cell) for cell in filled(table, column)]
    frames = frames_of(table)
    names = _names(table, cells, frames, plane)
    root = _root(table.path, names)
    files = {name: root / cell for name, cell in zip(names, cells, strict=True)}
    known = identities(files, workers=workers, progress=progress)
    check_frames(table, frames, [*files.values()], [known.get(name) for name in names], plane)
    own = group_column(table)
    patients = None if own else _patients(names)
    if own or patients:
        groups = filled(table, own) if own else patients or []
        word = "group" if own == "group" else "patient"
        named = (True,) * len(names)
    else:
        told = groups_of_files(files, known)
        groups, word = [told.groups[name] for name in names], told.word
        named = tuple(name in known for name in names)
    _refuse_other_zeros(table, groups if own else ())
    agreed(table, cells, groups)  # frames of one file are of one patient
    return Listed(
        root=root,
        files=files,
        frames=frames,
        groups=tuple(groups),
        splits=splits_of(table),
        group_word=word,
        named=named,
        known=known,
    )


def path_column(table: Table) -> str | None:
    """Which column names the files: ``path``, else the one of its other names, if there is any.

    Raises:
        DataError: two of the other names, and no ``path``.
    """
    return PATH if PATH in table.columns else table.one_of(PATH_NAMES, meant=PATH)


def own_columns(table: Table) -> frozenset[str]:
    """Columns of a table of images that are neither classes nor attributes."""
    return OWN_COLUMNS.union(filter(None, (path_column(table),)))


def with_paths(table: Table) -> Table:
    """A table of PadChest's columns ``ImageDir`` and ``ImageID`` with ``path``; others as they are.

    PadChest (Bustos et al., Medical Image Analysis 2020) puts the images into numbered folders.
    """
    if PATH in table.columns or not {_FOLDER, _FILE} <= {*table.columns}:
        return table
    columns = (PATH, *(name for name in table.columns if name not in (_FOLDER, _FILE)))
    rows = ({PATH: _placed(row), **row} for row in table.rows)
    return Table(table.path, columns, tuple({k: row[k] for k in columns} for row in rows))


def _placed(row: Mapping[str, str]) -> str:
    return "/".join(filter(None, (row[_FOLDER], row[_FILE]))) if row[_FILE] else ""


def group_column(table: Table) -> str | None:
    """Which column says what must not be cut by a split, if any does."""
    return table.one_of(_GROUPS) or table.one_of(PATIENT_IDS)


def splits_of(table: Table) -> tuple[str | None, ...]:
    """What the column ``split`` says: train, val, test or None, one a row.

    Raises:
        DataError: another word.
    """
    return tuple(_split(table, number) for number in range(len(table.rows)))


def lists_images(path: Path) -> bool:
    """Whether a CSV file has a column of paths whose first image is there."""
    try:
        table = with_paths(load_table(path))
        column = path_column(table)
    except DataError:
        return False
    if column is None:
        return False
    first = _normal(slashed(path.parent, table.rows[0][column]))
    return (_root(path, [first]) / first).is_file()


def slashed(folder: Path, cell: str) -> str:
    """A path as POSIX parts its folders; programs on Windows part them by a backslash."""
    return cell if "\\" not in cell or (folder / cell).exists() else cell.replace("\\", "/")


def _names(table: Table, cells: Sequence[str], frames: Frames, plane: Plane) -> list[str]:
    rows = zip(cells, frames, strict=True)
    names = [framed(_normal(cell), frame, plane) for cell, frame in rows]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            where=table.path,
            what=f"lists {plural('image', len(twice))} more than once, for example {twice[0]}",
            cure="Keep one row for each image (join several labels by |); of a file of several "
            "frames give each row its own in a column 'frame'.",
        )
    return names


def _normal(cell: str) -> str:
    return PurePath(os.path.normpath(cell)).as_posix()


def _root(path: Path, names: Sequence[str]) -> Path:
    """Folder of the images: paths of CheXpert begin with the name of the table's own."""
    own = path.parent.resolve().name
    inside = all(PurePath(name).parts[0] == own for name in names)
    return path.parent.parent if inside and not (path.parent / own).is_dir() else path.parent


def _patients(names: Sequence[str]) -> list[str] | None:
    """Patients where every path has a folder that is named by one, as in CheXpert."""
    found = [_PATIENT_FOLDER.search(name) for name in names]
    return None if None in found else [match[1].lower() for match in found if match]


def _refuse_other_zeros(table: Table, groups: Sequence[str]) -> None:
    """Two ids that differ in the zeros before a number may be one, of which a program took some."""
    first: dict[str, str] = {}
    for group in groups:
        other = first.setdefault(group.lstrip("0") if group.isdecimal() else group, group)
        if other != group:
            raise DataError(
                where=table.path,
                what=f"the groups '{other}' and '{group}' differ in the zeros in front alone",
                cure="Write each in one way; if they are two, give one another name.",
            )


def _split(table: Table, number: int) -> str | None:
    word = table.rows[number].get("split", "")
    if word and word.lower() not in SPLIT_FOLDERS:
        raise DataError(
            where=table.path,
            what=f"row {number + 1} has the unknown split '{word}'",
            cure="Use train, val or test, or leave the cell empty.",
        )
    return SPLIT_FOLDERS[word.lower()] if word else None
