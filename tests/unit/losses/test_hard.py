"""The teacher's decision, plain and weighted by class."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medistill.losses.hard import hard_decision

TEACHER = torch.tensor([[3.0, 1.0], [0.0, 5.0]])


def test_by_hand() -> None:
    student = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])  # 3/4 right, then even odds
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert hard_decision(student=student, teacher=TEACHER).item() == pytest.approx(expected)


def test_weighted_by_hand() -> None:
    """The mean of the weighted losses over the sum of their weights."""
    student = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    expected = -(1 * math.log(0.75) + 3 * math.log(0.5)) / 4
    weights = torch.tensor([1.0, 3.0])
    found = hard_decision(student=student, teacher=TEACHER, class_weights=weights)
    assert found.item() == pytest.approx(expected)


def test_how_sure_the_teacher_is_does_not_matter() -> None:
    student = torch.randn(2, 2)
    torch.testing.assert_close(
        hard_decision(student=student, teacher=TEACHER),
        functional.cross_entropy(student, torch.tensor([0, 1])),
    )
    torch.testing.assert_close(
        hard_decision(student=student, teacher=TEACHER),
        hard_decision(student=student, teacher=0.01 * TEACHER),
    )
