"""Weight files: safetensors, or PyTorch files that hold tensors and nothing that could run."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from medistill.core.errors import WeightsError
from medistill.core.files import write_bytes

State = dict[str, Tensor]

# Where published checkpoints keep their weights, and what wrappers put before each name.
_NESTED = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "backbone.", "model.")
_ZIP, _PICKLE = b"PK", b"\x80"


def read_weights(path: Path) -> State:
    """The tensors of a file by name, on the CPU.

    Args:
        path: a safetensors file, or a PyTorch file that loads with ``weights_only=True``; the
            weights may lie one level deep (``model``, ``state_dict``), and a prefix that all names
            share (``module.``, ``backbone.``) is dropped.

    Raises:
        WeightsError: missing, damaged, not a weights file, or a pickle that runs code when opened.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise WeightsError(where=path, what=what, cure="Give the path of a weights file.")
    with path.open("rb") as stream:
        magic = stream.read(9)
    if path.suffix == ".safetensors" or magic[8:] == b"{":
        return _without_prefix(_read_safetensors(path))
    if not magic.startswith((_ZIP, _PICKLE)):
        raise WeightsError(
            where=path,
            what="is neither a safetensors nor a PyTorch file",
            cure="Give a .safetensors, .pth or .pt file of weights.",
        )
    return _without_prefix(_tensors_of(_read_torch(path), path))


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's state dict as safetensors, atomically."""
    state = {name: value.detach().cpu().contiguous() for name, value in _state(module).items()}
    write_bytes(path, safetensors.torch.save(state, metadata={"format": "pt"}))


def _state(module: nn.Module) -> State:
    state: State = module.state_dict()
    return state


def _read_safetensors(path: Path) -> State:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a foreign file's pickle protocol is not our concern
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            where=path,
            what="is a pickle that would run code when opened, so it is refused",
            cure="Convert it to safetensors where you trust it: "
            "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors').",
        ) from error
    except Exception as error:  # a damaged file makes the reader fail in any way
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> WeightsError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return WeightsError(
        where=path, what=f"is damaged or cut short ({reason})", cure="Copy or download it again."
    )


def _tensors_of(content: object, path: Path) -> State:
    """The name-to-tensor mapping in a checkpoint, at its top or one level deep."""
    levels: list[Any] = [content]
    if isinstance(content, Mapping):
        levels += [content[key] for key in _NESTED if key in content]
    for level in levels:
        if not isinstance(level, Mapping) or not level:
            continue
        if all(isinstance(value, Tensor) for value in level.values()):
            return {str(name): value for name, value in level.items()}
    raise WeightsError(
        where=path,
        what="holds no state dict",
        cure=f"Save model.state_dict() itself, or under one of the keys {', '.join(_NESTED)}.",
    )


def _without_prefix(state: State) -> State:
    for prefix in _PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _without_prefix({name[len(prefix) :]: v for name, v in state.items()})
    return state
