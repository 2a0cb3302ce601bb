"""Tells whether a file is still the one that was read. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stamp:
    """What a file was at a moment; equal stamps mean the same unchanged file.

    Attributes:
        given: its path, as it was given or found.
        resolved: the absolute path without links, so that the same name elsewhere is another file.
        size: in bytes.
        mtime_ns: when it was last changed, in nanoseconds.
    """

    given: str
    resolved: str
    size: int
    mtime_ns: int


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file as it is now; None for a file that cannot be had."""
    try:
        resolved = path.resolve(strict=True)
        state = resolved.stat()
    except (OSError, RuntimeError, ValueError):  # gone, a circle of links, or no path at all
        return None
    return Stamp(str(path), str(resolved), state.st_size, state.st_mtime_ns)
