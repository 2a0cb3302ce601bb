"""Patients and studies of DICOM files, for groups that no split may cut."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medistill.core.errors import DataError
from medistill.data.duplicates import identical_files
from medistill.data.perceptual import Progress
from medistill.data.processes import MOST_AT_ONCE, in_order
from medistill.imaging.identity import Identity, read_identity

# So few files are read before a process has started, and before anyone would look at a bar.
_FEW = 4000


@dataclass(frozen=True)
class FileGroups:
    """What files themselves say of what no split may cut.

    Attributes:
        groups: by name: of DICOM the patient, else the study; of others, files of the same bytes.
        word: what a group is.
        known: identifiers of the DICOM files by name.
    """

    groups: Mapping[str, str]
    word: str
    known: Mapping[str, Identity]


def groups_of_files(
    paths: Mapping[str, Path], known: Mapping[str, Identity] | None = None, *, workers: int = 0
) -> FileGroups:
    """Groups of files of any kind, where nothing else names them.

    Args:
        paths: files by name.
        known: identifiers of those that are DICOM, or None to read them.
        workers: processes that read them.
    """
    held = identities(paths, workers=workers) if known is None else known
    patients = all(name in held and held[name].patient for name in paths)
    word = "patient" if patients else "patient or study" if held else "image"
    # Files of the same bytes name the same patient: only those that name none are compared.
    alone = {name: path for name, path in paths.items() if not _names_group(held.get(name))}
    otherwise = {name: name for name in paths} | identical_files(alone)
    return FileGroups(groups_of(held, otherwise), word, held)


def identities(
    paths: Mapping[str, Path], *, workers: int = 0, progress: Progress | None = None
) -> dict[str, Identity]:
    """Identifiers of every DICOM file by name; other files and damaged ones are left out.

    Args:
        paths: files by name; several names may be of one file, as those of its frames are.
        workers: processes that read many of them (spawned: guard your script's ``__main__``); 0
            reads here.
        progress: called with (done, total) as many files are read.
    """
    files = list(dict.fromkeys(paths.values()))
    pieces = [files[at : at + MOST_AT_ONCE] for at in range(0, len(files), MOST_AT_ONCE)]
    many = len(files) > _FEW
    read = in_order(pieces, _identities_of, workers=workers if many else 0)
    held: dict[Path, Identity] = {}
    done = 0
    for piece, found in zip(pieces, read, strict=True):
        held |= ((path, one) for path, one in zip(piece, found, strict=True) if one is not None)
        done += len(piece)
        if many and progress is not None:
            progress(done, len(files))
    return {name: held[path] for name, path in paths.items() if path in held}


def _identities_of(paths: Sequence[Path]) -> list[Identity | None]:
    return list(map(_identity_of, paths))


def _identity_of(path: Path) -> Identity | None:
    try:
        return read_identity(path)
    except DataError:
        # Whoever decodes the file will say what is wrong with it.
        return None


def attributes_of(identity: Identity | None) -> dict[str, str]:
    """What a check may look at; nothing that names a person."""
    if identity is None:
        return {}
    held = {"device": identity.device, "view": identity.view, "laterality": identity.laterality}
    return {key: value for key, value in held.items() if value}


def study_of(identity: Identity | None) -> str:
    """Study where it is known, else an empty text."""
    return "" if identity is None else identity.study


def groups_of(known: Mapping[str, Identity], otherwise: Mapping[str, str]) -> dict[str, str]:
    """What no split may cut: the patient where it is known, else the study.

    The issuer of a patient id counts only where several issuers gave it, and only if every file
    with that id names its own: a file that names none may show any of these patients.

    Args:
        known: identifiers by name, of one tree.
        otherwise: every name, and the group where neither patient nor study is known.
    """
    issuers = _issuers(known)
    apart = {patient for patient in shared_ids(known) if "" not in issuers[patient]}
    return {name: _group(known.get(name), own, apart) for name, own in otherwise.items()}


def shared_ids(known: Mapping[str, Identity]) -> set[str]:
    """Patient ids that several issuers gave, so that an id alone names no one patient."""
    return {patient for patient, found in _issuers(known).items() if len(found - {""}) > 1}


def _names_group(identity: Identity | None) -> bool:
    return identity is not None and bool(identity.patient or identity.study)


def _issuers(known: Mapping[str, Identity]) -> dict[str, set[str]]:
    """By patient id; an empty text where a file names no issuer."""
    found: dict[str, set[str]] = {}
    for identity in known.values():
        if identity.patient:
            found.setdefault(identity.patient, set()).add(identity.issuer)
    return found


def _group(identity: Identity | None, otherwise: str, apart: Container[str]) -> str:
    if identity is None:
        return otherwise
    if identity.patient in apart:
        # As HL7 writes an id with its authority.
        return f"patient {identity.patient}^^^{identity.issuer}"
    if identity.patient:
        return f"patient {identity.patient}"
    return f"study {identity.study}" if identity.study else otherwise
