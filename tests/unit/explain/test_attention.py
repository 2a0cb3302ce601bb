from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from medistill.explain.attention import recorded_attention
from medistill.models.vit import VisionTransformer


def test_the_recorded_attention_is_the_models_and_changes_nothing() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=16, patch_size=8, width=8, depth=2, heads=2, classes=3, distilled=True
    ).eval()
    images = torch.rand(2, 3, 16, 16)
    names = frozenset({"attention.0", "attention.1"})
    usual = model(images, names)
    with recorded_attention() as found:
        logits = model(images, frozenset({"tokens.1"})).logits
    torch.testing.assert_close(logits, usual.logits)
    for index in range(2):
        torch.testing.assert_close(found[index], usual.features[f"attention.{index}"])
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), [found[0]])
    assert gradient.abs().sum() > 0


def test_the_fused_kernel_comes_back_even_after_an_error() -> None:
    before = functional.scaled_dot_product_attention
    with pytest.raises(RuntimeError), recorded_attention():
        raise RuntimeError
    assert functional.scaled_dot_product_attention is before


def test_masked_attention_is_left_to_the_fused_kernel() -> None:
    values = torch.rand(1, 1, 3, 4)
    expected = functional.scaled_dot_product_attention(values, values, values, is_causal=True)
    with recorded_attention() as found:
        given = functional.scaled_dot_product_attention(values, values, values, is_causal=True)
    torch.testing.assert_close(given, expected)
    assert found == []
