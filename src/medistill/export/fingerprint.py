"""What a network is: one hash over all that its graph could depend on."""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import Any

import torch
from torch import Tensor, nn


class _Skeleton(pickle.Pickler):
    """Pickles a network with a hash in the place of each tensor."""

    def persistent_id(self, value: object) -> tuple[str, ...] | None:
        if not isinstance(value, Tensor):
            return None
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest = hashlib.sha256(flat.view(torch.uint8).numpy().data).hexdigest()
        return str(value.dtype), str(tuple(value.shape)), digest

    def reducer_override(self, value: object) -> Any:
        if not isinstance(value, nn.Module):
            return NotImplemented
        # torch numbers the hooks of a process; what counts is which there are, and their order.
        held = {
            name: list(each.values()) if name.endswith("_hooks") else each
            for name, each in vars(value).items()
        }
        return type(value), (), held


def fingerprint(network: nn.Module) -> str | None:
    """SHA-256 over every class, setting, weight and buffer of a network.

    A hash of the weights alone would not do: two networks of the same weights may differ in a
    stride or in the number of their heads. Networks that are alike may have unequal fingerprints,
    different ones never have the same.

    Returns:
        The hash; None where a network holds something that cannot be pickled, as a lambda.
    """
    skeleton = io.BytesIO()
    try:
        _Skeleton(skeleton, protocol=pickle.HIGHEST_PROTOCOL).dump(network)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return hashlib.sha256(skeleton.getvalue()).hexdigest()
