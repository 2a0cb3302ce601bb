"""Weight files: safetensors, or PyTorch files that hold tensors and nothing that could run."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from medistill.core.errors import WeightsError
from medistill.core.files import write_bytes

State = dict[str, Tensor]

# Where training programs keep their weights. The first that is there is read: where there is a
# moving average, it is what they scored.
_NESTED = (
    "state_dict_ema",
    "model_ema",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "teacher",
)
_ZIP, _PICKLE = b"PK", b"\x80"


class _LeftOut:
    """What stands in a file beside its weights: nothing of it is made, so nothing of it can run."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


# What timm, torchvision and DeiT save beside their weights: the command's options and a score.
# Numpy's own pieces are never made: a state of a file's choice can crash them.
_BESIDE: Any = [
    (_LeftOut, "argparse.Namespace"),
    (_LeftOut, "numpy.dtype"),
    *((_LeftOut, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]


def read_weights(path: Path, notes: list[str] | None = None) -> State:
    """The tensors of a file by name, on the CPU.

    Args:
        path: a safetensors file, or a PyTorch file that loads with ``weights_only=True``; the
            weights may lie up to two levels deep (``model``, ``state_dict``), and of several, a
            moving average is read.
        notes: is told which of several was read.

    Raises:
        WeightsError: missing, damaged, not a weights file, or a pickle that runs code when opened.
    """
    if not path.is_file():
        raise _no_file(path)
    with path.open("rb") as stream:
        magic = stream.read(9)
    if path.suffix == ".safetensors" or magic[8:] == b"{":
        return _read_safetensors(path)
    if not magic.startswith((_ZIP, _PICKLE)):
        raise WeightsError(
            where=path,
            what="is neither a safetensors nor a PyTorch file",
            cure="Give a .safetensors, .pth or .pt file of weights.",
        )
    return _tensors_of(_read_torch(path), path, notes if notes is not None else [])


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's state dict as safetensors, atomically."""
    state = {name: value.detach().cpu().contiguous() for name, value in _state(module).items()}
    write_bytes(path, safetensors.torch.save(state, metadata={"format": "pt"}))


def _state(module: nn.Module) -> State:
    state: State = module.state_dict()
    return state


def _no_file(path: Path) -> WeightsError:
    if not path.is_dir():
        what, example = "does not exist", ""
    else:
        kinds = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
        inside = sorted(each for each in path.iterdir() if each.suffix in kinds)
        what, example = "is a folder", f", for example {inside[0]}" if inside else ""
    return WeightsError(where=path, what=what, cure=f"Give the path of a weights file{example}.")


def _read_safetensors(path: Path) -> State:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_BESIDE):
            warnings.simplefilter("ignore")  # a foreign file's pickle protocol is not our concern
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            where=path,
            what=f"is a pickle that would run code when opened{_asked(error)}, so it is refused",
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


def _asked(error: Exception) -> str:
    """What a refused pickle wants to make, as far as torch says."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" (it makes a {found[1]})" if found else ""


def _tensors_of(content: object, path: Path, notes: list[str]) -> State:
    """The name-to-tensor mapping in a checkpoint, at its top or up to two levels deep."""
    found = dict(_states(content, "", 2))
    if not found:
        raise WeightsError(
            where=path,
            what="holds no state dict",
            cure=f"Save model.state_dict() itself, or under one of the keys {', '.join(_NESTED)}.",
        )
    known = [*_NESTED, ""]
    ranked = sorted(found, key=lambda key: _rank(key, known))
    first = _rank(ranked[0], known)
    alike = sorted(key for key in found if _rank(key, known) == first)
    if len(alike) > 1:
        raise WeightsError(
            where=path,
            what=f"holds several state dicts: {', '.join(alike)}",
            cure="Save the one that is meant by itself.",
        )
    if others := ", ".join(f"'{key}'" for key in ranked[1:]):
        notes.append(f"read from '{ranked[0]}', not from {others}")
    return {str(name): value for name, value in found[ranked[0]].items()}


def _rank(key: str, known: list[str]) -> int:
    """Place of a trail of keys by its first one."""
    first = key.partition("/")[0]
    return known.index(first) if first in known else len(known)


def _states(content: object, key: str, depth: int) -> Iterator[tuple[str, Mapping[Any, Tensor]]]:
    """Every mapping of nothing but tensors, by its trail of keys."""
    if not isinstance(content, Mapping) or not content:
        return
    if all(isinstance(value, Tensor) for value in content.values()):
        yield key, content
    elif depth:
        for name, value in content.items():
            yield from _states(value, f"{key}/{name}".lstrip("/"), depth - 1)
