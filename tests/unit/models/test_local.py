"""Local parts: what they see, what they leave alone."""

from __future__ import annotations

import pytest
import torch

from medistill.models.local import (
    KINDS,
    EfficientAttention,
    LeFF,
    LocalFeedForward,
    SqueezeExcite,
    local_part,
)
from medistill.models.profile import count_parameters


def make(kind: str) -> LeFF | LocalFeedForward:
    torch.manual_seed(0)
    return local_part(kind, width=8, hidden=16, prefix=2).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_sees_its_neighbours_and_no_further(kind: str) -> None:
    part, x = make(kind), torch.randn(1, 2 + 25, 8)
    other = x.clone()
    other[0, 2 + 12] += 1  # the patch in the middle of 5 x 5
    changed = (part(other) - part(x)).abs().sum(-1)[0, 2:].reshape(5, 5) > 1e-6
    near = torch.zeros(5, 5, dtype=torch.bool)
    near[1:4, 1:4] = True
    if kind in ("leff", "localvit"):
        assert torch.equal(changed, near)
    else:  # a channel's mean reaches everywhere
        assert changed[near].all()


def test_leff_returns_extra_tokens_as_they_came() -> None:
    x = torch.randn(2, 2 + 9, 8)
    assert torch.equal(make("leff")(x)[:, :2], x[:, :2])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_localvit_adds_nothing_to_extra_tokens(kind: str) -> None:
    assert not make(kind)(torch.randn(2, 2 + 9, 8))[:, :2].any()


def test_leff_has_the_parameters_worked_out_by_hand() -> None:
    """1 x 1 with bias, BN, 3 x 3 depthwise with bias, BN, 1 x 1 with bias, BN."""
    expected = (384 * 1536 + 1536) + 3072 + (1536 * 9 + 1536) + 3072 + (1536 * 384 + 384) + 768
    assert count_parameters(LeFF(width=384, hidden=1536, prefix=2)) == expected == 1_203_840


def test_gates_scale_channels() -> None:
    for gate in (SqueezeExcite(16), EfficientAttention(16)):
        x = torch.rand(2, 16, 3, 3) + 0.5
        ratio = gate(x) / x
        assert ratio.min() > 0
        assert ratio.max() < 1
        torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert EfficientAttention(16).conv.kernel_size == (3,)  # |(log2 16 + 1) / 2| = 2.5, odd: 3


def test_an_unknown_kind_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no local part is called 'conv'"):
        local_part("conv", width=8, hidden=16, prefix=1)
