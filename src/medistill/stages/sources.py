"""Whether the files that images were read from are still those: by names, sizes and times."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from medistill.core.files import sha256_json
from medistill.core.run_folder import is_run
from medistill.core.types import ImageSet

State = tuple[int, int]


def fingerprint(spec: str) -> str:
    """Hash of names, sizes and times of all files below a path; of the text for a phantom.

    Of a table all files beside it and below count, but none of a run, which grows by itself.
    """
    if _is_phantom(spec):
        return sha256_json(spec)
    root = _root(spec)
    entries = [(file.relative_to(root).as_posix(), *_state(file)) for file in _files_below(root)]
    return sha256_json([spec, sorted(entries)])


def elsewhere(images: ImageSet, known: Sequence[str]) -> dict[str, State]:
    """Size and time of each image and mask that lies below none of the known places.

    A table may list files that lie anywhere.
    """
    roots = [_root(place).resolve() for place in known if not _is_phantom(place)]
    files = {path for each in images.samples for path in (each.path, each.mask) if path}
    outside = (p for p in files if not any(p.resolve().is_relative_to(root) for root in roots))
    return {str(path): _state(path) for path in sorted(outside)}


def unchanged(states: Mapping[str, Sequence[int]]) -> bool:
    """Whether all files of :func:`elsewhere` are there and as they were."""
    return all(_state(Path(path)) == tuple(state) for path, state in states.items())


def _is_phantom(spec: str) -> bool:
    return spec.split(":", 1)[0] == "phantom"


def _root(spec: str) -> Path:
    path = Path(spec)
    return path.parent if path.is_file() else path


def _state(path: Path) -> State:
    """Size and time; of a file that is gone no file's."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _files_below(root: Path) -> Iterator[Path]:
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not is_run(Path(folder) / name)]
        yield from (path for path in (Path(folder) / name for name in names) if path.is_file())
