"""Losses of several labels by hand, against PyTorch and torchvision."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from medistill.losses.labels import binary_cross_entropy, binary_kl, focal

NAN = float("nan")
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=GENERATOR)
LABELS = (torch.rand(6, 4, generator=GENERATOR) < 0.4).float()


def test_pytorchs_cross_entropy_gives_the_same() -> None:
    expected = functional.binary_cross_entropy_with_logits(LOGITS, LABELS, reduction="sum") / 6
    torch.testing.assert_close(binary_cross_entropy(logits=LOGITS, labels=LABELS), expected)


@pytest.mark.parametrize("positive", [0.25, 0.5])
def test_torchvisions_focal_loss_gives_the_same(positive: float) -> None:
    expected = sigmoid_focal_loss(LOGITS, LABELS, alpha=positive, gamma=2.0, reduction="sum") / 6
    found = focal(logits=LOGITS, labels=LABELS, focus=2.0, positive=positive)
    torch.testing.assert_close(found, expected)


def test_unknown_labels_do_not_count() -> None:
    some = LABELS.clone()
    some[0, 1], some[1] = NAN, NAN
    logits = LOGITS.clone().requires_grad_()
    loss = binary_cross_entropy(logits=logits, labels=some)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 1] == 0
    assert not gradient[1].any()
    each = functional.binary_cross_entropy_with_logits(LOGITS, some.nan_to_num(), reduction="none")
    # Five images have a known label; the divisor counts them.
    torch.testing.assert_close(loss, each[~some.isnan()].sum() / 5)


def test_without_any_label_it_is_zero() -> None:
    assert binary_cross_entropy(logits=LOGITS, labels=torch.full_like(LOGITS, NAN)).item() == 0


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_by_hand(temperature: float) -> None:
    teacher = torch.tensor([[temperature * math.log(3)]])  # softened: 3/4
    expected = temperature**2 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    found = binary_kl(student=torch.zeros(1, 1), teacher=teacher, temperature=temperature)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_divergence_of_masked_labels_is_left_out() -> None:
    known = torch.tensor([[True, False]])
    student, teacher = torch.zeros(1, 2), torch.tensor([[1.0, 50.0]])
    both = binary_kl(student=student, teacher=teacher, temperature=1.0, known=known)
    one = binary_kl(student=student[:, :1], teacher=teacher[:, :1], temperature=1.0)
    torch.testing.assert_close(both, one)


@pytest.mark.parametrize("focus", [0.0, 1.0, 2.0])
def test_saturated_scores_stay_finite(focus: float) -> None:
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    for labels in (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])):
        focal(logits=logits, labels=labels, focus=focus, positive=0.25).backward()
    binary_kl(student=logits, teacher=-logits, temperature=1.0).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_focus_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="infinite gradient"):
        focal(logits=LOGITS, labels=LABELS, focus=0.5, positive=None)
