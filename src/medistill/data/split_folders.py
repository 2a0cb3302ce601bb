"""Folders that are called after a published split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from medistill.data.listing import subfolders

#: Folder names that mean a split, lower case.
SPLIT_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "train": "train",
        "training": "train",
        "val": "val",
        "valid": "val",
        "validation": "val",
        "test": "test",
        "testing": "test",
    }
)


def split_folders(root: Path) -> dict[Path, str]:
    """Subfolders that mean a split, if there is one for train and no other subfolder; else none."""
    found = {path: SPLIT_FOLDERS.get(path.name.lower(), "") for path in subfolders(root)}
    return found if "train" in found.values() and all(found.values()) else {}
