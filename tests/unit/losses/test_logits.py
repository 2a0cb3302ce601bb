"""Softened Kullback-Leibler divergence against hand calculation and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medistill.losses.logits import softened_kl

# KL((1/4, 3/4) || (1/2, 1/2)) = 1/4 ln(1/2) + 3/4 ln(3/2)
QUARTER = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_by_hand(temperature: float) -> None:
    teacher = torch.tensor([[0.0, temperature * math.log(3)]])  # softened: 1/4 and 3/4
    loss = softened_kl(student=torch.zeros(1, 2), teacher=teacher, temperature=temperature)
    assert loss.item() == pytest.approx(temperature**2 * QUARTER, rel=1e-6)


def test_classes_are_summed_and_the_batch_is_averaged() -> None:
    teacher = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])  # the second row agrees
    loss = softened_kl(student=torch.zeros(2, 2), teacher=teacher, temperature=1.0)
    assert loss.item() == pytest.approx(QUARTER / 2, rel=1e-6)


def test_direction_is_from_the_teacher() -> None:
    sure, even = torch.tensor([[0.0, math.log(3)]]), torch.zeros(1, 2)
    # KL((1/2, 1/2) || (1/4, 3/4)) = 1/2 ln 2 + 1/2 ln(2/3)
    backward = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    loss = softened_kl(student=sure, teacher=even, temperature=1.0)
    assert loss.item() == pytest.approx(backward, rel=1e-6)


def test_pytorchs_kl_div_gives_the_same() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(7, 5), torch.randn(7, 5)
    reference = functional.kl_div(
        torch.log_softmax(student / 3, 1), torch.softmax(teacher / 3, 1), reduction="batchmean"
    )
    loss = softened_kl(student=student, teacher=teacher, temperature=3.0)
    torch.testing.assert_close(loss, 9 * reference)


def test_gradient_is_the_papers() -> None:
    """Hinton et al. 2015, equation 2: (q - p) / T a row; times T^2 and over B here."""
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    softened_kl(student=student, teacher=teacher, temperature=4.0).backward()
    expected = (torch.softmax(student / 4, 1) - torch.softmax(teacher / 4, 1)) * 4 / 4
    torch.testing.assert_close(student.grad, expected.detach())


def test_computed_in_float32_inside_autocast() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)
    outside = softened_kl(student=student, teacher=teacher, temperature=4.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = softened_kl(student=student, teacher=teacher, temperature=4.0)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)


def test_extreme_logits_stay_finite() -> None:
    student = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = softened_kl(student=student, teacher=-student.detach(), temperature=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert student.grad is not None
    assert student.grad.isfinite().all()
