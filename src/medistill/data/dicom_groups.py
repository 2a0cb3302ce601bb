"""Patients and studies of DICOM files, for groups that no split may cut."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medistill.core.errors import DataError
from medistill.imaging.identity import Identity, read_identity


def identities(paths: Mapping[str, Path]) -> dict[str, Identity]:
    """Identifiers of every DICOM file by name; other files and damaged ones are left out."""
    found: dict[str, Identity] = {}
    for name, path in paths.items():
        try:
            identity = read_identity(path)
        except DataError:
            # Whoever decodes the file will say what is wrong with it.
            continue
        if identity is not None:
            found[name] = identity
    return found


def attributes_of(identity: Identity | None) -> dict[str, str]:
    """What a check may look at; nothing that names a person."""
    if identity is None:
        return {}
    held = {"device": identity.device, "view": identity.view, "laterality": identity.laterality}
    return {key: value for key, value in held.items() if value}


def study_of(identity: Identity | None) -> str:
    """Study where it is known, else an empty text."""
    return "" if identity is None else identity.study


def group_of(identity: Identity | None, name: str) -> str:
    """Patient where it is known, else study, else the file itself."""
    if identity is None:
        return name
    if identity.patient:
        return f"patient {identity.patient}"
    return f"study {identity.study}" if identity.study else name
