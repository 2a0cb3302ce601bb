"""oneDNN's linear layer: float32 to its last bits, both ways, and where it is asked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from medistill.models import quick_linear as module
from medistill.models.quick_linear import leaves_speed_to_onednn, quick_linear

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="PyTorch without oneDNN"
)


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WORTH_IT", 1)


def _asks_onednn(*given: Tensor) -> bool:
    with torch.profiler.profile() as seen:
        quick_linear(*given)
    return "mkldnn::_linear_pointwise" in {event.key for event in seen.key_averages()}


@pytest.mark.parametrize("shape", [(37, 24), (3, 37, 24), (2, 3, 5, 24)])
@pytest.mark.parametrize("wide", [8, 24, 72])
@pytest.mark.parametrize("biased", [False, True])
def test_values_and_gradients_are_those_of_float64(
    shape: tuple[int, ...], wide: int, biased: bool
) -> None:
    torch.manual_seed(0)
    given = [torch.randn(shape), torch.randn(wide, 24), torch.randn(wide)][: 3 if biased else 2]
    given = [each.requires_grad_() for each in given]
    exact = [each.detach().double().requires_grad_() for each in given]
    made, right = quick_linear(*given), functional.linear(*exact)
    torch.testing.assert_close(made.double(), right, rtol=1e-5, atol=1e-5)
    slope = torch.randn_like(made)
    for mine, theirs in zip(
        torch.autograd.grad(made, given, slope),
        torch.autograd.grad(right, exact, slope.double()),
        strict=True,
    ):
        torch.testing.assert_close(mine.double(), theirs, rtol=1e-5, atol=5e-5)


def test_rows_that_lie_apart_and_slopes_of_one_number_are_read_rightly() -> None:
    torch.manual_seed(0)
    x = torch.randn(24, 5, 6).transpose(0, 2)[:, ::2].requires_grad_()
    weight = torch.randn(24, 9).t().requires_grad_()
    made, right = quick_linear(x, weight).sum(), functional.linear(x, weight).sum()
    torch.testing.assert_close(made, right, rtol=1e-5, atol=1e-4)
    for mine, theirs in zip(
        torch.autograd.grad(made, [x, weight]),
        torch.autograd.grad(right, [x, weight]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_what_is_frozen_gets_no_gradient() -> None:
    x, weight = torch.randn(4, 8), torch.randn(6, 8)
    bias = torch.randn(6, requires_grad=True)
    quick_linear(x, weight, bias).sum().backward()
    assert x.grad is None
    assert weight.grad is None
    torch.testing.assert_close(bias.grad, torch.full((6,), 4.0))
    assert not quick_linear(x, weight).requires_grad


def test_only_large_products_in_float32_are_onednns(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, weight = torch.randn(4, 8), torch.randn(6, 8)
    assert _asks_onednn(rows, weight)
    assert not _asks_onednn(rows.double(), weight.double())
    assert not _asks_onednn(rows[0], weight)
    monkeypatch.setattr(module, "_WORTH_IT", 4 * 8 * 6 + 1)
    assert not _asks_onednn(rows, weight)


@pytest.mark.parametrize(
    ("capability", "intel", "asked"),
    [("AVX512", False, True), ("AVX512", True, False), ("AVX2", False, False)],
)
def test_it_is_asked_where_mkl_leaves_the_processor_half_unused(
    capability: str, intel: bool, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(module, "is_intel", lambda: intel)
    leaves_speed_to_onednn.cache_clear()
    assert leaves_speed_to_onednn() is asked
    leaves_speed_to_onednn.cache_clear()
