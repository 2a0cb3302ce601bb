"""The state between two epochs in one file, and the weights that training is for."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from medistill.core.errors import RunFolderError
from medistill.core.files import atomic_file, write_bytes
from medistill.train.disk import told_if_refused
from medistill.train.fingerprint import refuse_other
from medistill.train.history import Row
from medistill.train.selection import Best

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """All that a resumed training needs; generators have no state, their draws follow the step.

    Attributes:
        fingerprint: what the training was made of.
        epoch: epochs done.
        trainee: state dict of network and adapters.
        optimiser: state dict.
        ema: state dict of the averaged network, or None.
        best: the best checkpoint so far, with its weights, so that one atomic write commits both.
        rows: the history.
    """

    fingerprint: Mapping[str, str]
    epoch: int
    trainee: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    ema: Mapping[str, Tensor] | None
    best: Best
    rows: tuple[Row, ...]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; a kill at any moment leaves the old one or the new.

    It is written after every epoch and not waited for: what a power cut damages is found out by its
    check sums.

    Raises:
        RunFolderError: the disk refuses, for example because it is full; the old one stays.
    """
    content = {**vars(checkpoint), "format": _FORMAT, "best": vars(checkpoint.best)}
    with told_if_refused(path), atomic_file(path, durable=False) as stream:
        torch.save(content, stream)


def load_checkpoint(path: Path, fingerprint: Mapping[str, str]) -> Checkpoint | None:
    """Read a checkpoint of the same training; None where there is none.

    Raises:
        RunFolderError: damaged, of another version, or of a training with other values.
    """
    if not path.exists():
        return None
    try:
        content = _read(path)
        saved = Checkpoint(**{**content, "best": Best(**content["best"])})
    except Exception as error:  # whatever a parser says of a damaged file
        raise RunFolderError(
            where=path,
            what="is damaged or was written by another version of medistill",
            cure="Delete it to start this training over.",
        ) from error
    refuse_other(saved.fingerprint, fingerprint, path)
    return saved


def _read(path: Path) -> dict[str, Any]:
    # The archive's check sums are what tells a damaged tensor; torch does not look at them.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} has a wrong check sum")
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if content.pop("format") != _FORMAT:
        raise ValueError("another format")
    return content


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in ``folder``."""
    for name in ("last.pt", "best.safetensors", "weights.safetensors", "history.csv"):
        for stale in folder.glob(f".{name}.*"):
            stale.unlink(missing_ok=True)


def save_weights(path: Path, weights: Mapping[str, Tensor], *, durable: bool = True) -> None:
    """Write a state dict as safetensors, atomically.

    Args:
        path: the file.
        weights: by name.
        durable: wait until they are on disk.

    Raises:
        RunFolderError: the disk refuses.
    """
    with told_if_refused(path):
        write_bytes(path, safetensors.torch.save(dict(weights)), durable=durable)


def cpu_copy(module: nn.Module) -> dict[str, Tensor]:
    """A module's state dict as contiguous tensors of its own on the CPU."""
    state = module.state_dict()
    return {
        name: torch.empty_like(value, device="cpu", memory_format=torch.contiguous_format).copy_(
            value
        )
        for name, value in state.items()
    }
