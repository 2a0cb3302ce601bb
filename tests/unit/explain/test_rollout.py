from __future__ import annotations

import numpy as np
import torch

from medistill.explain.rollout import attention_rollout, gradient_rollout


def attentions(layers: int = 3, tokens: int = 6) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 2, tokens, tokens).softmax(dim=-1) for _ in range(layers)]


def test_one_layer_by_hand() -> None:
    # Rows: class token looks at patches with .2, .3; residual halves it.
    attention = torch.tensor([[[[0.5, 0.2, 0.3], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    found = attention_rollout([attention], prefix=1)
    np.testing.assert_allclose(found, [[0.1, 0.15]], rtol=1e-6)


def test_layers_multiply_from_the_last_and_both_extra_tokens_count() -> None:
    given = attentions()
    flow = np.eye(6)
    for attention in given:
        flow = (attention[1].mean(dim=0).numpy() + np.eye(6)) / 2 @ flow
    found = attention_rollout(given, prefix=2)
    np.testing.assert_allclose(found[1], flow[:2, 2:].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(flow.sum(axis=1), 1.0, rtol=1e-6)


def test_gradient_rollout_counts_only_what_raises_the_class() -> None:
    given = attentions(layers=2)
    slopes = [torch.randn_like(each) for each in given]
    flow = np.eye(6)
    for attention, slope in zip(given, slopes, strict=True):
        raised = (attention[0] * slope[0]).clamp(min=0).mean(dim=0).numpy()
        flow = flow + raised @ flow
    found = gradient_rollout(given, slopes, prefix=1)
    np.testing.assert_allclose(found[0], flow[0, 1:], rtol=1e-5)
    nothing = gradient_rollout(given, [-torch.ones_like(each) for each in given], prefix=1)
    assert not nothing.any()
