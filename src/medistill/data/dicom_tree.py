"""Layout ``dicom``: a tree of DICOM files beside one table of labels, by file, study or patient."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from pathlib import Path

from medistill.core.counting import counted
from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import attributes_of, groups_of, identities, study_of
from medistill.data.dicom_objects import left_out, without_picture
from medistill.data.dicom_rows import Said, joined
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import files_below, found_below
from medistill.data.table_file import Table, is_table, load_table
from medistill.data.table_frames import framed
from medistill.data.table_labels import masked
from medistill.imaging.identity import Identity
from medistill.imaging.sniff import is_dicom_file

_TRIED = 50
_NO_ROW = (Said(),)


def is_dicom_tree(root: Path) -> bool:
    """Whether a folder holds exactly one table, with labels, and DICOM files at any depth."""
    if not root.is_dir() or len(_tables(root)) != 1:
        return False
    return any(map(is_dicom_file, islice(files_below(root), _TRIED)))


def read_dicom_tree(root: Path, *, least_classes: int = 2) -> ImageSet:
    """Read a tree of DICOM files.

    The table has labels and a column ``split`` as ``data.table``, and one of ``path``, ``file``
    (name without folders, with or without its ending), ``study`` (or ``StudyInstanceUID``) and
    ``patient`` (or ``PatientID``, without its issuer); the first of these joins it to the files. A
    value may repeat with the same label; with other frames in a column ``frame`` (from 0), each of
    them is an image. The group is what a further column ``patient`` or ``group`` says, else the
    patient of the file, else its study. Every other column becomes an attribute. Files of several
    frames of which no row names one are refused when they are decoded. Files that hold no picture,
    as reports do, are left out and counted.

    Args:
        root: the folder.
        least_classes: how many classes the table must name, unless it is multi-label.

    Raises:
        DataError: no table, or as of ``dicom_rows.joined``.
    """
    table = _only_table(root)
    paths = {p.relative_to(root).as_posix(): p for p in found_below(root, is_dicom_file)}
    known = identities(paths)
    found = joined(table, root, paths, known, least_classes=least_classes)
    other = without_picture(paths, paths)
    pictures = {name: path for name, path in paths.items() if name not in other}
    groups, cut = _groups(known, pictures, found.said)
    absent = sum(name not in found.said for name in pictures)
    words = counted(absent, "file|files has|have no row in the table, and no label")
    missing = (f"{words}.",) if absent else ()
    patients = all(name in known and known[name].patient for name in pictures)
    word = found.group_word or ("patient" if patients else "patient or study")
    return ImageSet(
        name="dicom",
        root=root,
        task="multi-label" if found.labels.several else "single-label",
        classes=found.labels.classes,
        samples=_samples(pictures, known, found.said, groups),
        group_word=word,
        caveats=(
            *(() if word == "patient" else (NO_PATIENTS,)),
            *cut,
            *missing,
            *masked(found.labels),
            *left_out(other),
        ),
    )


def _samples(
    paths: Mapping[str, Path],
    known: Mapping[str, Identity],
    said: Mapping[str, Sequence[Said]],
    groups: Mapping[str, str],
) -> tuple[Sample, ...]:
    rows = [(name, row) for name in paths for row in said.get(name, _NO_ROW)]
    return tuple(
        Sample(
            path=paths[name],
            name=framed(name, row.frame),
            label=row.label,
            group=groups[name],
            split=row.split,
            attributes={**attributes_of(known.get(name)), **row.attributes},
            frame=row.frame,
            study=study_of(known.get(name)),
        )
        for name, row in sorted(rows, key=lambda each: framed(each[0], each[1].frame))
    )


def _groups(
    known: Mapping[str, Identity], names: Collection[str], said: Mapping[str, Sequence[Said]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The table's groups where it names them, else those of the files; and where the two differ.

    A file without a row goes to the group that the table gives others of its patient.
    """
    of_files = groups_of(known, {name: name for name in names})
    homes: dict[str, set[str]] = {}
    for name in names:
        group = said.get(name, _NO_ROW)[0].group
        if group is not None:
            homes.setdefault(of_files[name], set()).add(group)
    found = {}
    for name in names:
        group = said.get(name, _NO_ROW)[0].group
        found[name] = group or min(homes.get(of_files[name], ()), default=of_files[name])
    cut = sorted(own for own, held in homes.items() if len(held) > 1 and own.startswith("patient"))
    if not cut:
        return found, ()
    words = "patient id|ids of the files lies|lie in several groups of the table"
    return found, (
        f"{counted(len(cut), words)}, for example "
        f"'{cut[0].removeprefix('patient ')}': the table is believed.",
    )


def _only_table(root: Path) -> Table:
    tables = _tables(root)
    if len(tables) != 1:
        raise DataError(
            where=root,
            what=f"holds {len(tables)} tables (CSV), one is expected",
            cure="Put one table with labels beside the DICOM files.",
        )
    return load_table(tables[0])


def _tables(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if is_table(path))
