"""Kernels that are slow on a processor, and what replaces them.

In bfloat16 oneDNN has no quick way back for some convolutions, and the fused attention goes back
slower than plain products; in float32 MKL's products are slow on processors that are not Intel's
(``python -m benchmarks.kernels``). The replacements compute the same, up to rounding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from medistill.models.quick_linear import leaves_speed_to_onednn, quick_linear

_Replacements = Mapping[Callable[..., Any], Callable[..., Any]]

# Depth by depth, kernels of 3 x 3 that move by one pixel are quick.
_QUICK_SIDE, _QUICK_STRIDE = 3, 1


def quick_kernels(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Replace, in this context, the kernels that are slow on this processor in this precision.

    Nothing is replaced while something watches the operators themselves: an exporter, a compiler,
    a counter of operations.
    """
    if device.type != "cpu" or torch.compiler.is_compiling() or is_in_torch_dispatch_mode():
        return contextlib.nullcontext()
    replacements = _replacements()
    return _Replaced(replacements) if replacements else contextlib.nullcontext()


def _replacements() -> _Replacements:
    if not torch.is_autocast_enabled("cpu"):
        return _IN_FLOAT32 if leaves_speed_to_onednn() else {}
    half = torch.get_autocast_dtype("cpu") == torch.bfloat16
    return _IN_BFLOAT16 if half and torch.is_grad_enabled() else {}


class _Replaced(TorchFunctionMode):
    """Calls the replacement of a function wherever the function is called."""

    def __init__(self, replacements: _Replacements) -> None:
        super().__init__()
        self._replacements = replacements

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._replacements.get(func, func)(*args, **(kwargs or {}))


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution; in float32 where it works depth by depth and is slow in bfloat16."""
    strides = (stride,) if isinstance(stride, int) else stride
    quick = max(weight.shape[-2:]) <= _QUICK_SIDE and max(strides) <= _QUICK_STRIDE
    if quick or not 1 < groups == weight.shape[0]:
        return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)
    with torch.autocast(x.device.type, enabled=False):
        offset = None if bias is None else bias.float()
        made = functional.conv2d(
            x.float(), weight.float(), offset, stride, padding, dilation, groups
        )
    return made.bfloat16()


def _attended(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    """Attention as plain products, where nothing is masked or dropped."""
    if attn_mask is not None or dropout_p or is_causal or options:
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, **options
        )
    scaled = query * query.shape[-1] ** -0.5
    return torch.softmax(scaled @ key.transpose(-2, -1), dim=-1) @ value


_IN_BFLOAT16: _Replacements = {
    functional.conv2d: _convolved,
    functional.scaled_dot_product_attention: _attended,
}
_IN_FLOAT32: _Replacements = {functional.linear: quick_linear}
