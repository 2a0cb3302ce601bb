"""Names of tensors in a checkpoint, without what wrappers put before a model's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from torch import Tensor

_SHOWN = 3


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
        more = ", ..." if len(outside) > _SHOWN else ""
        named = ", ".join(outside[:_SHOWN]) + more
        notes.append(f"{len(outside)} tensors outside '{prefix}' left out ({named})")
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


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
