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


def group_of(identity: Identity | None, name: str) -> str:
    """Patient where it is known, else study, else the file itself."""
    if identity is None:
        return name
    if identity.patient:
        return f"patient {identity.patient}"
    return f"study {identity.study}" if identity.study else name
