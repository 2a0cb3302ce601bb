"""Where an evaluation on another set is written, and what it may take the place of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medistill.bundle.schema import MANIFEST as BUNDLE_MANIFEST
from medistill.core.errors import RunFolderError
from medistill.core.files import read_json, replacing_folder, sha256_json, write_json
from medistill.core.run_folder import MANIFEST, RECIPE, is_run

ASKED = "asked.json"
_ELSEWHERE = "Name another folder with --out."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an evaluation answers.

    Attributes:
        model: run folder or bundle.
        data: path or specification of the set.
        split: its published split, or None for all of it.
        layout: its layout, or None to recognise it.
        plane: along which plane its volumes are cut, or None for the usual one.
    """

    model: Path
    data: str
    split: str | None = None
    layout: str | None = None
    plane: str | None = None

    @property
    def names(self) -> dict[str, str | None]:
        """What model, set and split are called, without the folders that they lie in."""
        return {
            "model": _model_name(self.model),
            "data": _data_name(self.data),
            "split": self.split,
        }

    @property
    def hash(self) -> str:
        """The same for the same files and options: a report that is handed on tells no path."""
        data = Path(self.data)
        where = str(data.resolve()) if data.exists() else self.data
        asked = [str(self.model.resolve()), where, self.split, self.layout, self.plane]
        return sha256_json(asked)

    @property
    def folder(self) -> Path:
        """Folder of the report where none is named."""
        names = self.names
        words = [names["model"], "on", names["data"], names["split"], "evaluation"]
        return Path("-".join(word for word in words if word))


def refuse_taken(folder: Path, asked: Asked) -> None:
    """Refuse a folder whose files an evaluation must not replace.

    An earlier evaluation of the same model on the same set may be replaced.

    Raises:
        RunFolderError: it lies in a run or a bundle, is a file or a mount point, or holds anything
            else.
    """
    place = folder.resolve()
    for owner in (place, *place.parents):
        if kind := _kind(owner):
            raise RunFolderError(
                where=folder,
                what=f"lies in {kind} ({owner}), whose files belong to it",
                cure=_ELSEWHERE,
            )
    if place.is_file():
        raise RunFolderError(where=folder, what="is a file", cure=_ELSEWHERE)
    if place.is_mount():  # found out now, and not when the report is to be put there
        raise RunFolderError(
            where=folder,
            what="is a mount point, which no folder can take the place of",
            cure="Name a folder below it with --out.",
        )
    if Path.cwd().resolve().is_relative_to(place):
        what = "is where this command runs, and no folder can take its place"
        cure = "Name a folder below it with --out."
        raise RunFolderError(where=folder, what=what, cure=cure)
    if place.is_dir() and any(place.iterdir()):
        _refuse_other(folder, asked)


@contextmanager
def evaluation_folder(folder: Path, asked: Asked) -> Iterator[Path]:
    """Yield a folder to write to; it becomes ``folder``, as a whole, when the block succeeds.

    Raises:
        RunFolderError: as :func:`refuse_taken`.
    """
    refuse_taken(folder, asked)
    with replacing_folder(folder.resolve()) as place:
        yield place
        files = sorted(_files(place))
        write_json(place / ASKED, {**asked.names, "hash": asked.hash, "files": files})


def _refuse_other(folder: Path, asked: Asked) -> None:
    found = _asked_before(folder)
    foreign = sorted(_files(folder) - {ASKED, *found.get("files", ())})
    if not found:
        what = "holds files that are no evaluation of this model on this set"
    elif found["hash"] != asked.hash:
        split = f", split '{found['split']}'" if found["split"] else ""
        what = f"holds another evaluation (of {found['model']} on {found['data']}{split})"
    elif foreign:
        what = f"holds {foreign[0]}, which this evaluation did not write"
    else:
        return
    raise RunFolderError(where=folder, what=what, cure=f"Remove it yourself, or: {_ELSEWHERE}")


def _asked_before(folder: Path) -> Mapping[str, Any]:
    """What an earlier evaluation noted; empty where there is none, or it cannot be read."""
    try:
        found = read_json(folder / ASKED)
    except (OSError, ValueError):
        return {}
    known = isinstance(found, dict) and found.keys() >= {"hash", "model", "data", "split"}
    return found if known else {}


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _kind(folder: Path) -> str | None:
    """What a folder is whose files are its own. A recipe alone may lie beside one's runs."""
    if (folder / BUNDLE_MANIFEST).is_file():
        return "a bundle"
    recipe = (folder / RECIPE).is_file()
    begun = (folder / ".lock").exists() or (folder / "data" / MANIFEST).is_file()
    return "a run" if recipe and begun else None


def _model_name(model: Path) -> str:
    place = model.resolve()
    name = place.stem if place.suffix == ".zip" else place.name
    return f"{place.parent.name}-{name}" if is_run(place.parent) else name


def _data_name(data: str) -> str:
    path = Path(data)
    if path.exists():
        place = path.resolve()
        return place.stem if place.is_file() else place.name
    return re.sub(r"[^\w.-]+", "-", data)
