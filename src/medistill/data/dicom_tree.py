"""Layout ``dicom``: a tree of DICOM files beside one table of labels, by file, study or patient."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Sample
from medistill.data.dicom_groups import attributes_of, group_of, identities, study_of
from medistill.data.folder import NO_PATIENTS
from medistill.data.table import LABELS, Table, filled, is_table, load_table
from medistill.data.table_labels import Labels, read_labels
from medistill.imaging.identity import Identity
from medistill.imaging.sniff import HEAD_BYTES, is_dicom

#: Column that joins the table to the files, and what of a file it is compared with.
_KEYS = ("path", "file", "study", "patient")
_TRIED = 50


def is_dicom_tree(root: Path) -> bool:
    """Whether a folder holds exactly one table, with labels, and DICOM files at any depth."""
    if not root.is_dir() or len(_tables(root)) != 1:
        return False
    return any(_is_dicom_file(path) for path in islice(_files(root), _TRIED))


def read_dicom_tree(root: Path) -> ImageSet:
    """Read a tree of DICOM files.

    The table has a column ``label`` (or ``labels``) and one of ``path``, ``file`` (name without
    folders), ``study`` (StudyInstanceUID) and ``patient`` (PatientID). The group is the patient,
    else the study. Files of several frames are listed and refused when they are decoded.

    Args:
        root: the folder.

    Raises:
        DataError: no table, no such column, no DICOM file, or a row that matches no file.
    """
    table = _only_table(root)
    label_column, key = table.one_of(LABELS), table.one_of(_KEYS)
    if label_column is None or key is None:
        raise DataError(
            where=table.path,
            what=f"has the columns {', '.join(table.columns)}",
            cure="Name one column label, and one path, file, study or patient.",
        )
    paths = {p.relative_to(root).as_posix(): p for p in _files(root) if _is_dicom_file(p)}
    known = identities(paths)
    labels = read_labels(filled(table, label_column), where=table.path, column=label_column)
    rows = dict(zip(filled(table, key), labels.values, strict=True))
    samples = _samples(paths, known, key, rows)
    _check(table, key, rows, samples, known)
    return _image_set(root, labels, samples, known)


def _samples(
    paths: Mapping[str, Path],
    known: Mapping[str, Identity],
    key: str,
    rows: Mapping[str, int | tuple[float, ...] | None],
) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            path=paths[name],
            name=name,
            label=rows.get(_key_of(name, known.get(name), key)),
            group=group_of(known.get(name), name),
            attributes=attributes_of(known.get(name)),
            study=study_of(known.get(name)),
        )
        for name in sorted(paths)
    )


def _image_set(
    root: Path, labels: Labels, samples: tuple[Sample, ...], known: Mapping[str, Identity]
) -> ImageSet:
    patients = all(name in known and known[name].patient for name in (s.name for s in samples))
    unlabelled = sum(sample.label is None for sample in samples)
    missing = (f"{unlabelled} files have no row in the table: they are unlabelled.",)
    return ImageSet(
        name="dicom",
        root=root,
        task="multi-label" if labels.several else "single-label",
        classes=labels.classes,
        samples=samples,
        group_word="patient" if patients else "patient or study",
        caveats=(*(() if patients else (NO_PATIENTS,)), *(missing if unlabelled else ())),
    )


def _key_of(name: str, identity: Identity | None, key: str) -> str:
    if key in ("path", "file"):
        return name if key == "path" else name.rpartition("/")[2]
    return str(getattr(identity, key)) if identity is not None else ""


def _check(
    table: Table,
    key: str,
    rows: Mapping[str, object],
    samples: tuple[Sample, ...],
    known: Mapping[str, Identity],
) -> None:
    found = {_key_of(s.name, known.get(s.name), key) for s in samples}
    strangers = sorted(set(rows) - found)
    if strangers:
        raise DataError(
            where=table.path,
            what=f"{len(strangers)} values of '{key}' match no file, for example '{strangers[0]}'",
            cure="Remove these rows, or add the files.",
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


def _files(root: Path) -> list[Path]:
    found = []
    # Links to folders are not followed, so that a loop of them ends.
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if not is_table(path) and path.name.upper() != "DICOMDIR"]


def _is_dicom_file(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(HEAD_BYTES))
    except OSError:
        return False
