"""Replaced kernels: the same values and gradients, and only where they are slow."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from medistill.models.build import build_model
from medistill.models.kernels import quick_kernels
from medistill.models.spec import ModelSpec

CPU = torch.device("cpu")


def _half(enabled: bool = True) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


def _operators(work: object) -> set[str]:
    """Names of the operators that a function calls, and the types of its convolutions' inputs."""
    with torch.profiler.profile() as seen:
        work()  # type: ignore[operator]
    return {event.key for event in seen.key_averages()}


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("biased", [False, True])
def test_convolutions_agree_with_float32(kernel: int, stride: int, biased: bool) -> None:
    torch.manual_seed(0)
    given = [torch.randn(2, 6, 9, 9), torch.randn(6, 1, kernel, kernel), torch.randn(6)]
    given = [each.requires_grad_() for each in given[: 3 if biased else 2]]
    options = {"stride": stride, "padding": kernel // 2, "groups": 6}
    whole = functional.conv2d(*given, **options)
    with _half(), quick_kernels(CPU):
        quick = functional.conv2d(*given, **options)
    assert quick.dtype == torch.bfloat16
    torch.testing.assert_close(quick.float(), whole, rtol=0.02, atol=0.02)
    slope = torch.randn_like(whole).bfloat16().float()
    for mine, right in zip(
        torch.autograd.grad(quick, given, slope.bfloat16()),
        torch.autograd.grad(whole, given, slope),
        strict=True,
    ):
        torch.testing.assert_close(mine, right, rtol=0.02, atol=0.1)


def test_slow_convolutions_are_computed_in_float32_up_to_the_last_rounding() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 4, 8, 8), torch.randn(4, 1, 5, 5)
    whole = functional.conv2d(x, weight, padding=2, groups=4)
    with _half(), quick_kernels(CPU):
        quick = functional.conv2d(x, weight, padding=2, groups=4)
        dense = functional.conv2d(x, weight.expand(4, 4, 5, 5), padding=2)
    assert torch.equal(quick, whole.bfloat16())
    with _half():
        assert torch.equal(dense, functional.conv2d(x, weight.expand(4, 4, 5, 5), padding=2))


def test_attention_agrees_with_the_fused_kernel_and_its_gradients() -> None:
    torch.manual_seed(0)
    given = [torch.randn(2, 3, 7, 8, requires_grad=True) for _ in range(3)]
    whole = functional.scaled_dot_product_attention(*given)
    with _half(), quick_kernels(CPU):
        quick = functional.scaled_dot_product_attention(*given)
    torch.testing.assert_close(quick.float(), whole, rtol=0.03, atol=0.02)
    slope = torch.randn_like(whole)
    for mine, right in zip(
        torch.autograd.grad(quick, given, slope.bfloat16()),
        torch.autograd.grad(whole, given, slope),
        strict=True,
    ):
        torch.testing.assert_close(mine, right, rtol=0.05, atol=0.03)


def test_masked_attention_keeps_its_kernel() -> None:
    given = [torch.randn(1, 1, 4, 8) for _ in range(3)]
    mask = torch.eye(4, dtype=torch.bool)
    with _half(), quick_kernels(CPU):
        found = functional.scaled_dot_product_attention(*given, attn_mask=mask)
    # Each token attends to itself alone.
    torch.testing.assert_close(found.float(), given[2], rtol=0.01, atol=0.01)


@pytest.fixture
def slow_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor whose products in float32 are slow, whatever this one is."""
    monkeypatch.setattr("medistill.models.kernels.leaves_speed_to_onednn", lambda: True)


def test_nothing_is_replaced_in_bfloat16_without_gradients(slow_float32: None) -> None:
    with _half(), torch.no_grad():
        assert isinstance(quick_kernels(CPU), contextlib.nullcontext)


def test_float32_is_replaced_where_its_products_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow in (True, False):
        monkeypatch.setattr("medistill.models.kernels.leaves_speed_to_onednn", lambda s=slow: s)
        for learns in (True, False):
            with torch.set_grad_enabled(learns):
                assert isinstance(quick_kernels(CPU), contextlib.nullcontext) is not slow
    assert isinstance(quick_kernels(torch.device("meta")), contextlib.nullcontext)


@pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="PyTorch without oneDNN"
)
@pytest.mark.parametrize("name", ["mobilevit_xxs", "pvt_v2_b0", "vit"])
def test_networks_in_float32_ask_onednn_and_say_and_learn_the_same(
    name: str, slow_float32: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medistill.models.quick_linear._WORTH_IT", 1 << 12)
    torch.manual_seed(0)
    shape = {"width": 24, "heads": 3, "depth": 2} if name == "vit" else {}
    network = build_model(ModelSpec(name=name, image_size=64, **shape), classes=2).eval()
    images, found = torch.rand(4, 1, 64, 64), []
    for replaced in (False, True):
        network.zero_grad()
        if not replaced:
            logits = network.backbone(network.normalised(images)).logits
        else:
            assert "mkldnn::_linear_pointwise" in _operators(lambda: network(images))
            logits = network(images).logits
        logits.square().sum().backward()
        found.append([logits.detach(), *(p.grad.clone() for p in network.parameters())])
    for plain, quick in zip(*found, strict=True):
        torch.testing.assert_close(quick, plain, rtol=1e-3, atol=1e-5 * plain.abs().max().item())


def test_counters_and_exporters_see_the_usual_operators(slow_float32: None) -> None:
    spec = ModelSpec(name="vit", image_size=224, width=192, heads=3, depth=2)
    network = build_model(spec, classes=2).eval()
    with FlopCounterMode(display=False) as counted:
        network(torch.rand(2, 1, 224, 224))
    assert "aten.addmm" in {str(each) for each in counted.get_flop_counts()["Global"]}
    program = torch.export.export(network, (torch.rand(2, 1, 224, 224),))
    assert "mkldnn" not in str(program.graph)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "mobilevit_xxs", "pvt_v2_b0", "vit"])
def test_every_kind_of_network_trains_with_them(name: str) -> None:
    """No network asks the fused kernel, and gradients point where those of float32 point.

    In eval mode: norms over a batch of four images would magnify the rounding.
    """
    torch.manual_seed(0)
    shape = {"width": 24, "heads": 3, "depth": 2} if name == "vit" else {}
    network = build_model(ModelSpec(name=name, image_size=64, **shape), classes=2).eval()
    images, gradients = torch.rand(4, 1, 64, 64), []
    for half in (False, True):
        network.zero_grad()
        with _half(half):
            called = _operators(lambda: network(images).logits.float().square().sum().backward())
        gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
        assert not half or not any("scaled_dot_product" in each for each in called)
    assert functional.cosine_similarity(*gradients, dim=0) > 0.99
