"""Runs of one data set take over what an earlier one made from the same inputs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from medistill.core.run_folder import RunFolder

#: Files that say what a finished stage, or a cache of targets, was made from.
_SAID = ("manifest.json", "cache.json")


def take_over(run: RunFolder, earlier: Path) -> None:
    """Link stages that another run finished; a stage made from other inputs is made anew later."""
    for manifest in sorted(file for name in _SAID for file in earlier.rglob(name)):
        stage = manifest.parent.relative_to(earlier)
        wanted = run.stage(stage.as_posix())
        if _is_shared(stage) and not wanted.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            # Finished stages are never written to, so both runs may hold the same files.
            shutil.copytree(manifest.parent, wanted, copy_function=os.link)


def take_over_all(run: RunFolder, data: str) -> None:
    """The same from every other run of this data set in the folder."""
    runs = run.path.parent.glob(f"{data}-*/")
    # A search's controls have a seed of their own, so it comes last.
    for earlier in sorted(runs, key=lambda path: (path.name.endswith("-search"), path.name)):
        if earlier != run.path:
            take_over(run, earlier)


def _is_shared(stage: Path) -> bool:
    """Whether a stage may be the same in runs of several methods."""
    names = {"data", "teacher", "teacher-base", "control"}
    whole = not any(part.endswith((".partial", ".old")) for part in stage.parts)
    return whole and (stage.name in names or stage.parent.name == "targets")
