"""Layout ``dicom``: a tree of DICOM files beside one table of labels, by file, study or patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import (
    attributes_of,
    groups_of,
    identities,
    shared_ids,
    study_of,
)
from medistill.data.dicom_objects import left_out, without_picture
from medistill.data.folder import NO_PATIENTS
from medistill.data.listing import files_below, found_below
from medistill.data.table_file import LABELS, Table, agreed, filled, is_table, load_table
from medistill.data.table_images import PATIENT_IDS, slashed
from medistill.data.table_labels import Labels, masked, read_labels
from medistill.imaging.identity import Identity
from medistill.imaging.sniff import is_dicom_file

#: Column that joins the table to the files, and what of a file it is compared with.
_KEYS = ("path", "file", "study", "patient")
_TRIED = 50


def is_dicom_tree(root: Path) -> bool:
    """Whether a folder holds exactly one table, with labels, and DICOM files at any depth."""
    if not root.is_dir() or len(_tables(root)) != 1:
        return False
    return any(map(is_dicom_file, islice(files_below(root), _TRIED)))


def read_dicom_tree(root: Path, *, least_classes: int = 2) -> ImageSet:
    """Read a tree of DICOM files.

    The table has a column ``label`` (or ``labels``) and one of ``path``, ``file`` (name without
    folders), ``study`` (StudyInstanceUID) and ``patient`` (or ``PatientID``, without its issuer). A
    value may repeat with the same label. The group is the patient, else the study. Files of several
    frames are listed and refused when they are decoded. Files that hold no picture, as reports do,
    are left out and counted.

    Args:
        root: the folder.
        least_classes: how many classes the table must name, unless it is multi-label.

    Raises:
        DataError: no table, no such column, no DICOM file, a row that matches no file, a file name
            of several folders, a patient id of several issuers, or two labels for one value.
    """
    table = _only_table(root)
    label_column = table.one_of(LABELS)
    key_column = table.one_of(_KEYS) or table.one_of(PATIENT_IDS)
    if label_column is None or key_column is None:
        raise DataError(
            where=table.path,
            what=f"has the columns {', '.join(table.columns)}",
            cure="Name one column label, and one path, file, study or patient.",
        )
    paths = {p.relative_to(root).as_posix(): p for p in found_below(root, is_dicom_file)}
    known = identities(paths)
    labels = read_labels(
        filled(table, label_column),
        where=table.path,
        column=label_column,
        least_classes=least_classes,
    )
    key = "patient" if key_column in PATIENT_IDS else key_column
    values = filled(table, key_column)
    if key == "path":
        values = [slashed(root, value) for value in values]
    rows = agreed(table, values, labels.values)
    keys = {name: _key_of(name, known.get(name), key) for name in paths}
    _check(table, key, rows, keys, known)
    other = without_picture(paths, paths)
    pictures = {name: path for name, path in paths.items() if name not in other}
    samples = _samples(pictures, known, {name: rows.get(keys[name]) for name in pictures})
    absent = sum(keys[name] not in rows for name in pictures)
    missing = (f"{absent} files have no row in the table: they are unlabelled.",) if absent else ()
    said = (*missing, *masked(labels), *left_out(other))
    return _image_set(root, labels, samples, known, said)


def _samples(
    paths: Mapping[str, Path],
    known: Mapping[str, Identity],
    labels: Mapping[str, int | tuple[float, ...] | None],
) -> tuple[Sample, ...]:
    groups = groups_of(known, {name: name for name in paths})
    return tuple(
        Sample(
            path=paths[name],
            name=name,
            label=labels[name],
            group=groups[name],
            attributes=attributes_of(known.get(name)),
            study=study_of(known.get(name)),
        )
        for name in sorted(paths)
    )


def _image_set(
    root: Path,
    labels: Labels,
    samples: tuple[Sample, ...],
    known: Mapping[str, Identity],
    said: tuple[str, ...],
) -> ImageSet:
    patients = all(name in known and known[name].patient for name in (s.name for s in samples))
    return ImageSet(
        name="dicom",
        root=root,
        task="multi-label" if labels.several else "single-label",
        classes=labels.classes,
        samples=samples,
        group_word="patient" if patients else "patient or study",
        caveats=(*(() if patients else (NO_PATIENTS,)), *said),
    )


def _key_of(name: str, identity: Identity | None, key: str) -> str:
    if key in ("path", "file"):
        return name if key == "path" else name.rpartition("/")[2]
    return str(getattr(identity, key)) if identity is not None else ""


def _check(
    table: Table,
    key: str,
    rows: Mapping[str, object],
    keys: Mapping[str, str],
    known: Mapping[str, Identity],
) -> None:
    """Every row must mean files, and which ones must be beyond doubt."""
    held = Counter(keys.values())
    strangers = [value for value in rows if not held[value]]
    cure = "Remove these rows, or add the files."
    if {_without_zeros(value) for value in strangers} & {_without_zeros(each) for each in held}:
        cure = "Write them as the files do: spreadsheets drop the zeros in front of numbers."
    _refuse(table, key, strangers, "match no file", cure)
    if key == "file":
        several = [value for value in rows if held[value] > 1]
        cure = "Name a column path (with the folders) or patient instead of file."
        _refuse(table, key, several, "are names of several files", cure)
    if key == "patient":
        shared = sorted(shared_ids(known).intersection(rows))
        cure = "Name a column study or path instead of patient."
        _refuse(table, key, shared, "are ids of several patients, by their issuers", cure)


def _without_zeros(value: str) -> str:
    return value.lstrip("0")


def _refuse(table: Table, key: str, values: Collection[str], fault: str, cure: str) -> None:
    if values:
        what = f"{len(values)} values of '{key}' {fault}, for example '{min(values)}'"
        raise DataError(where=table.path, what=what, cure=cure)


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
