"""The target-enhanced cross-entropy by hand."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.one_for_all import target_enhanced

EVEN = torch.zeros(1, 2)
SURE = torch.tensor([[math.log(3), 0.0]])  # 3/4, 1/4
LABEL = torch.tensor([[1.0, 0.0]])


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_by_hand(power: float) -> None:
    weights = (1.75**power - 1) + 0.25**power
    found = target_enhanced(student=EVEN, teacher=SURE, labels=LABEL, power=power)
    assert found.item() == pytest.approx(weights * math.log(2), rel=1e-6)


def test_power_one_is_the_cross_entropy_to_the_teacher() -> None:
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    found = target_enhanced(student=SURE, teacher=SURE, labels=LABEL, power=1.0)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_an_unlabelled_image_has_no_target() -> None:
    unlabelled = torch.full((1, 2), float("nan"))
    found = target_enhanced(student=EVEN, teacher=SURE, labels=unlabelled, power=2.0)
    assert found.item() == pytest.approx((0.75**2 + 0.25**2) * math.log(2), rel=1e-6)


def test_a_higher_power_leans_to_the_label() -> None:
    def pull(power: float) -> float:
        student = torch.zeros(1, 2, requires_grad=True)
        target_enhanced(student=student, teacher=SURE, labels=LABEL, power=power).backward()
        assert student.grad is not None
        return -student.grad[0, 0].item()

    assert pull(1.5) > pull(1.0) > 0
