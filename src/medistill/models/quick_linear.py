"""Linear layers in float32 through oneDNN, where PyTorch would ask MKL.

MKL multiplies with AVX-512 on Intel's own processors alone; on others it takes instructions of half
the width, where oneDNN, which PyTorch brings too, takes the whole (``python -m
benchmarks.kernels``). Both sum in float32, in another order.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from medistill.core.runtime import is_intel

# Below so many multiplications a call costs more than it saves.
_WORTH_IT = 1 << 21


@functools.cache
def leaves_speed_to_onednn() -> bool:
    """Whether MKL leaves AVX-512 unused here and oneDNN can be asked instead."""
    return (
        torch.backends.cpu.get_cpu_capability() == "AVX512"
        and torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and not is_intel()
    )


def quick_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x weight^T + bias`` as ``torch.nn.functional.linear`` has it, up to the order of sums.

    Args:
        x: (..., K); what is not float32, or too small to gain, goes the usual way.
        weight: (N, K).
        bias: (N,) or None.

    Returns:
        (..., N). Gradients go to all three, once: they are not differentiable again.
    """
    plain = x.dtype == weight.dtype == torch.float32 and x.dim() > 1
    if not plain or x.numel() * weight.shape[0] < _WORTH_IT:
        return functional.linear(x, weight, bias)
    made: Tensor = _Linear.apply(x, weight, bias)
    return made


class _Linear(torch.autograd.Function):
    """A linear layer whose three products are oneDNN's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        # Contiguous: the gradient of a sum is one number in every place.
        rows = slope.reshape(-1, slope.shape[-1]).contiguous()
        return (
            _product(rows, weight.t()).reshape(x.shape) if to_x else None,
            _outer(rows, x.reshape(-1, x.shape[-1])) if to_weight else None,
            rows.sum(0) if to_bias else None,
        )


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """``left^T right`` of (R, N) and (R, K); oneDNN is quicker along the longer side."""
    if left.shape[1] > right.shape[1]:
        return _product(right.t(), left.t()).t()
    return _product(left.t(), right.t())


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    made: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return made
