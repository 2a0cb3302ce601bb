"""Kernels that train slowly in bfloat16 on a processor, and what replaces them.

oneDNN has no quick way back for some convolutions of bfloat16, and the fused attention goes back
through it slower than plain products (``python -m benchmarks.kernels``). The replacements compute
the same, up to rounding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# Depth by depth, kernels of 3 x 3 that move by one pixel are quick.
_QUICK_SIDE, _QUICK_STRIDE = 3, 1


def quick_kernels(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Replace slow kernels in this context, where it trains in bfloat16 on a processor."""
    slow = (
        device.type == "cpu"
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )
    return _Replaced() if slow else contextlib.nullcontext()


class _Replaced(TorchFunctionMode):
    """Calls the replacement of a function wherever the function is called."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return _REPLACEMENTS.get(func, func)(*args, **(kwargs or {}))


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


_REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    functional.conv2d: _convolved,
    functional.scaled_dot_product_attention: _attended,
}
