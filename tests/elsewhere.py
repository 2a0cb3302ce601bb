"""A device that is none: tensors that say they lie on a GPU, and refuse to meet others.

They are computed on the processor, so that a machine without a GPU can hold code against the
rules of one: tensors of two devices do not meet, and numpy reads those of the processor alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

#: The only device beside the processor whose gradients PyTorch counts without its driver.
ELSEWHERE = torch.device("meta")
#: These may be given a tensor of each: they copy from one to the other, or index with numbers.
_MIXING = (torch.ops.aten.copy_, torch.ops.aten.index, torch.ops.aten._index_put_impl_)


class Far(Tensor):
    """Says that it lies elsewhere; its values are those of ``near``."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> Far:
        """Of a tensor on the processor."""
        made: Far = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=ELSEWHERE,
            requires_grad=near.requires_grad,
        )
        made.near = near
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        """With the values, for what a failed test shows."""
        return f"Far({self.near!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Far:
        """A leaf with values of its own."""
        return memo.setdefault(id(self), Far(self.near.clone()).requires_grad_(self.requires_grad))

    def tolist(self) -> Any:
        """A GPU's tensor is copied for this, unlike for ``numpy``."""
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Every operation on such a tensor."""
        return _computed(func, args, kwargs or {})


class _Rules(TorchDispatchMode):
    """Makes tensors elsewhere where that is asked for, and moves those that are moved there."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    tensors: list[Tensor] = []
    tree_map_only(Tensor, tensors.append, (args, kwargs))
    far = any(isinstance(each, Far) for each in tensors)
    near = any(not isinstance(each, Far) and each.dim() for each in tensors)
    if far and near and func.overloadpacket not in _MIXING:
        raise RuntimeError(f"{func}: tensors of two devices meet")
    named = {name: value for name, value in kwargs.items() if name != "pin_memory"}
    device = named.get("device")
    goes = far if device is None else torch.device(device) == ELSEWHERE
    if device is not None:
        named["device"] = torch.device("cpu")
    given, named = tree_map_only(Far, lambda each: each.near, (args, named))
    found = func(*given, **named)
    if func._schema.name.endswith("_") and args and isinstance(args[0], Tensor):
        return args[0]
    return tree_map_only(Tensor, Far, found) if goes else found


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """Inside the block tensors can be made on, and moved to, the device that is given.

    Autocast, which does not know the device, does nothing there, and inference counts no gradients.
    """
    before = torch.__future__.get_swap_module_params_on_conversion()
    # A module that is moved gets other tensors then, instead of other values in its own.
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with (
            patch.object(torch, "autocast", lambda *_, **__: nullcontext()),
            patch.object(torch, "inference_mode", torch.no_grad),
            _Rules(),
        ):
            yield ELSEWHERE
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
