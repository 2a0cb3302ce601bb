"""Names of tensors in a checkpoint, without what wrappers put before a model's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from torch import Tensor

_SHOWN = 3
# What learning without labels needs beside the network and leaves in its checkpoints: MAE, DINO,
# iBOT, SimSiam, BYOL.
_PRETRAINING = (
    "decoder_",
    "dino_head.",
    "ibot_head.",
    "mask_token",
    "predictor.",
    "projector.",
)


def unwrapped(
    state: Mapping[str, Tensor], own: Collection[str], notes: list[str]
) -> dict[str, Tensor]:
    """The tensors of a model without what their names have before its own (``module.``, ``net.``).

    Tensors outside the wrapper, such as those of a loss, are no part of the model and are left out.
    Where no prefix is the most frequent, the names stay as they are.

    Args:
        state: tensors by their names in a file.
        own: the model's names.
        notes: is told what was left out.
    """
    prefix = _prefix(state, own)
    if not prefix:
        return dict(state)
    outside = [name for name in state if not name.startswith(prefix)]
    if outside:
        notes.append(_left_out(f"outside '{prefix}'", outside))
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def without_pretraining(
    state: Mapping[str, Tensor], own: Collection[str], notes: list[str]
) -> dict[str, Tensor]:
    """The tensors without those that only learning without labels needed, such as MAE's decoder.

    Args:
        state: tensors by name.
        own: the model's names, which stay whatever they are called.
        notes: is told what was left out.
    """
    names = set(own)
    extra = [name for name in state if name.startswith(_PRETRAINING) and name not in names]
    if extra:
        notes.append(_left_out("of its pretraining", extra))
    return {name: value for name, value in state.items() if name not in extra}


def _left_out(which: str, names: list[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return f"{len(names)} tensors {which} left out ({', '.join(names[:_SHOWN])}{more})"


def _prefix(state: Mapping[str, Tensor], own: Collection[str]) -> str:
    """What stands before most of a model's names; empty where that is nothing or a draw."""
    names = set(own)
    counts: Counter[str] = Counter()
    for name in state:
        parts = name.split(".")
        ends = range(len(parts))
        counts.update(
            "".join(f"{part}." for part in parts[:cut])
            for cut in ends
            if ".".join(parts[cut:]) in names
        )
    ranked = counts.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return ""
    return ranked[0][0]
