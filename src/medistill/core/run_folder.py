"""A run: one folder with one subfolder a stage, each with a manifest of what it was made from.

A stage is written in ``NAME.partial`` and renamed when it is whole. A kill leaves the partial
folder, which the next run continues when the inputs are the same and drops when they are not. The
manifest notes the size of what the stage cannot do without: where such a file is gone or was cut
short later, the stage counts as unfinished and the next run makes it again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medistill.core.errors import RunFolderError
from medistill.core.files import read_json, remove_torn, sha256_json, write_json

MANIFEST, RECIPE = "manifest.json", "recipe.yaml"
_INPUTS = "inputs.json"
#: What every manifest tells; the sizes of files are newer.
_TOLD = {"inputs", "inputs_hash", "outputs"}
_RESUME = "Run 'medistill run' with the same recipe and --out; it resumes."


@dataclass(frozen=True)
class StageWriter:
    """A stage in the making.

    Attributes:
        folder: where to write; renamed when the stage is whole.
        resumed: whether an earlier, killed attempt with the same inputs left files here.
        outputs: what the manifest shall record; fill it before the block ends.
        needed: names of files without which the stage is not finished; likewise.
    """

    folder: Path
    resumed: bool
    outputs: dict[str, Any] = field(default_factory=dict)
    needed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RunFolder:
    """Access to a run's stages by name; a name may hold slashes (``fold-0/student``)."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises:
            RunFolderError: another process holds it, or the folder is not a run.
        """
        self._refuse_foreign()
        self._make()
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunFolderError(
                where=self.path,
                what="the run is in use by another process",
                cure="Wait until it ends, or choose another folder with --out.",
            ) from None
        remove_torn(self.path.glob(f".{RECIPE}.*"))
        try:
            yield
        finally:
            lock.release()

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                where=self.path,
                what=f"cannot be made ({error.strerror})",
                cure="Choose another folder with --out.",
            ) from error

    def _refuse_foreign(self) -> None:
        if self.path.is_file():
            what = "is a file, not a run folder"
        elif self.path.is_dir() and any(self.path.iterdir()) and not is_run(self.path):
            what = "the folder holds files that are not a run's"
        else:
            return
        raise RunFolderError(
            where=self.path, what=what, cure="Choose a new or empty folder with --out."
        )

    def stage(self, name: str) -> Path:
        """Folder of a finished stage, whether or not it exists."""
        return self.path / name

    def manifest(self, name: str) -> Mapping[str, Any]:
        """Manifest of a finished stage.

        Raises:
            RunFolderError: the stage has not been finished, or its manifest is damaged.
        """
        found = read_manifest(self.stage(name))
        if found is None:
            raise RunFolderError(
                where=self.path, what=f"the stage '{name}' has not been finished", cure=_RESUME
            )
        return found

    def whole(self, name: str) -> Path:
        """Folder of a finished stage whose needed files are all there.

        Raises:
            RunFolderError: the stage has not been finished, or a file of it is gone or cut short.
        """
        folder = self.stage(name)
        if fault := _fault(folder, self.manifest(name)):
            raise RunFolderError(where=folder, what=fault, cure=_RESUME)
        return folder

    def outputs(self, name: str) -> Mapping[str, Any]:
        """What a finished stage recorded."""
        outputs: Mapping[str, Any] = self.manifest(name)["outputs"]
        return outputs

    def is_current(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether the stage is finished, undamaged and was made from exactly these inputs.

        A stage that a kill hit while it was put into its place is put there now.
        """
        wanted = sha256_json(inputs)
        partial = self.stage(f"{name}.partial")
        if _made_from(partial) == wanted:
            _put(partial, self.stage(name))
        return _made_from(self.stage(name)) == wanted

    def change(self, name: str, inputs: Mapping[str, Any]) -> str | None:
        """First input, by its dotted key, that a finished stage was not made from; None for none.

        Only what both hold is compared: an earlier version noted fewer values.

        Raises:
            RunFolderError: the stage has not been finished.
        """
        return _change(self.manifest(name)["inputs"], json.loads(json.dumps(inputs)), "")

    @contextmanager
    def writing(self, name: str, inputs: Mapping[str, Any]) -> Iterator[StageWriter]:
        """Write a stage; it appears under its name, with a manifest, when the block succeeds."""
        folder = self.stage(f"{name}.partial")
        resumed = _claim(folder, inputs)
        writer = StageWriter(folder=folder, resumed=resumed)
        started = time.monotonic()
        yield writer
        write_json(
            folder / MANIFEST,
            {
                "stage": name,
                "inputs": dict(inputs),
                "inputs_hash": sha256_json(inputs),
                "outputs": writer.outputs,
                "files": {name: (folder / name).stat().st_size for name in writer.needed},
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - started, 2),
            },
        )
        _put(folder, self.stage(name))


def is_run(folder: Path) -> bool:
    """Whether a folder is one of a run."""
    return (folder / ".lock").exists() or (folder / RECIPE).exists()


def read_manifest(folder: Path) -> Mapping[str, Any] | None:
    """Manifest of a stage's folder; None where there is none, or none that can be read."""
    try:
        found: Any = read_json(folder / MANIFEST)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    whole = isinstance(found, dict) and found.keys() >= _TOLD
    return found if whole and isinstance(found.get("files", {}), dict) else None


def read_record(path: Path) -> Mapping[str, Any]:
    """A JSON file that a finished stage or evaluation left.

    Raises:
        RunFolderError: it is damaged.
    """
    try:
        return read_json(path)
    except ValueError as error:
        raise RunFolderError(
            where=path,
            what="is damaged or cut short",
            cure="Make it again with the command that wrote it.",
        ) from error


def _made_from(folder: Path) -> str | None:
    """Hash of the inputs in a whole stage's manifest; None where it is not whole."""
    manifest = read_manifest(folder)
    if manifest is None or _fault(folder, manifest):
        return None
    return str(manifest["inputs_hash"])


def _fault(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with the needed files, as a clause; earlier versions noted none."""
    for name, size in manifest.get("files", {}).items():
        file = folder / name
        if not file.is_file():
            return f"its file '{name}' is gone"
        if (now := file.stat().st_size) != size:
            return f"its file '{name}' has {now} bytes instead of {size}"
    return None


def _change(made: Any, now: Any, key: str) -> str | None:
    if isinstance(made, Mapping) and isinstance(now, Mapping):
        inner = (_change(made[k], now[k], f"{key}.{k}") for k in now if k in made)
        return next((found for found in inner if found is not None), None)
    return None if made == now else key.strip(".")


def _claim(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Keep a partial folder made from the same inputs; start afresh otherwise."""
    marker = folder / _INPUTS
    if marker.exists() and sha256_json(read_json(marker)) == sha256_json(inputs):
        remove_torn(folder.rglob(".*"))
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(marker, dict(inputs))
    return False


def _put(new: Path, final: Path) -> None:
    """Rename ``new`` to ``final``; a kill in between leaves at least one whole folder."""
    old = final.with_name(f"{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    (new / _INPUTS).unlink(missing_ok=True)
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)
