"""The two files of a cache that say what it belongs to, and the refusal of a foreign one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medistill.core.errors import TargetsError
from medistill.core.files import read_json, write_bytes, write_json
from medistill.teacher.cache_layout import CacheKey, Hashes, Layout, images_hash

_FORMAT = "medistill-targets-1"
_MANIFEST, _IMAGES = "cache.json", "images.npy"


def write_manifest(key: CacheKey, layout: Layout, hashes: Hashes, folder: Path) -> None:
    """Write what a cache belongs to, unless it is there; always before the first shard."""
    if (folder / _MANIFEST).is_file():
        return
    stream = io.BytesIO()
    np.save(stream, hashes)
    write_bytes(folder / _IMAGES, stream.getvalue())
    value = {"format": _FORMAT, "key": key.to_json(), "layout": asdict(layout)}
    write_json(folder / _MANIFEST, value)


def layout_of(key: CacheKey, folder: Path) -> Layout | None:
    """How the cache in ``folder`` is laid out; None where there is none yet.

    Raises:
        TargetsError: the cache there belongs to something else than ``key``, or the folder holds
            shards of which nobody knows to what they belong.
    """
    path = folder / _MANIFEST
    if not path.is_file():
        if any(folder.glob("shard-*.npy")):
            raise _refused(folder, f"holds shards but no {_MANIFEST} that says what they are")
        return None
    manifest = _read(path)
    if differences := key.differences(manifest["key"]):
        what = f"the cached targets belong to something else: {' and '.join(differences)} differ"
        raise _refused(folder, what)
    value = manifest["layout"]
    shapes = {name: tuple(shape) for name, shape in value["shapes"].items()}
    return Layout(**{**value, "shapes": shapes, "views": tuple(value["views"])})


def mapped_hashes(key: CacheKey, folder: Path) -> Hashes:
    """The sorted content hashes of a cache, memory-mapped.

    Raises:
        TargetsError: they are missing or not those of ``key``.
    """
    try:
        hashes: Hashes = np.load(folder / _IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise _refused(folder, f"{_IMAGES} is missing or damaged") from None
    if images_hash(hashes) != key.images:
        raise _refused(folder, f"{_IMAGES} is damaged")
    return hashes


def _read(path: Path) -> Mapping[str, Any]:
    try:
        manifest = read_json(path)
        known = manifest["format"] == _FORMAT and {"key", "layout"} <= set(manifest)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise _refused(path.parent, f"{_MANIFEST} is damaged or of another version")
    return manifest


def _refused(folder: Path, what: str) -> TargetsError:
    cure = "Delete this folder to make the cache anew, or restore what it was made with."
    return TargetsError(where=folder, what=what, cure=cure)
