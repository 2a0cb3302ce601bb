"""What a training was made of, so that a checkpoint of another one is never resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from medistill.core.errors import RunFolderError
from medistill.train.precision import resolve_precision
from medistill.train.settings import TrainSettings


def without_effect(settings: TrainSettings) -> frozenset[str]:
    """Settings without effect on the result: any number of workers renders the same batches.

    Shows that are not balanced are those of trainings from before there was a choice.
    """
    return frozenset({"workers"} | ({"balance"} if settings.balance == 0 else set()))


def fingerprint(
    settings: TrainSettings,
    method: object,
    network: nn.Module,
    *,
    device: torch.device,
    steps_per_epoch: int,
    inputs: Mapping[str, str],
) -> dict[str, str]:
    """Every value that the result of a training depends on, by the name a user knows it by.

    Args:
        settings: precision is noted as resolved on the device.
        method: a dataclass; its fields are noted.
        network: its tensors' names and shapes are noted, as one hash.
        device: where it trains.
        steps_per_epoch: as given to the loop.
        inputs: hashes of what the caller feeds in, for example of data and teacher.
    """
    values: dict[str, object] = {f"train.{name}": value for name, value in asdict(settings).items()}
    values["train.precision"] = resolve_precision(settings.precision, device)
    values["method"] = type(method).__name__
    names = [each.name for each in fields(cast(Any, method))]
    values |= {f"method.{name}": getattr(method, name) for name in names}
    values["steps_per_epoch"] = steps_per_epoch
    values["network"] = _structure(network)
    values |= {f"inputs.{name}": value for name, value in inputs.items()}
    without = {f"train.{name}" for name in without_effect(settings)}
    return {name: str(value) for name, value in values.items() if name not in without}


def refuse_other(saved: Mapping[str, str], mine: Mapping[str, str], path: Path) -> None:
    """Refuse a checkpoint that was made from other values.

    Raises:
        RunFolderError: names every value that differs, its old and its new form.
    """
    names = [name for name in {**saved, **mine} if saved.get(name) != mine.get(name)]
    if names:
        parts = (f"{n} was {saved.get(n, 'absent')}, is {mine.get(n, 'absent')}" for n in names)
        raise RunFolderError(
            where=path,
            what=f"belongs to a training with other values: {'; '.join(parts)}",
            cure="Restore the old values, choose another run folder, or delete this file to start "
            "over.",
        )


def _structure(network: nn.Module) -> str:
    lines = (f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
