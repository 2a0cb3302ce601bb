"""Decoupled terms by hand, and their sum against Hinton's divergence."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.decoupled import others, others_kl, target_entropy, target_kl
from medistill.losses.logits import softened_kl

GENERATOR = torch.Generator().manual_seed(0)
STUDENT = torch.randn(6, 4, generator=GENERATOR)
TEACHER = torch.randn(6, 4, generator=GENERATOR)
TARGET = torch.tensor([0, 1, 2, 3, 0, 1])


def test_target_by_hand() -> None:
    # The teacher gives the target 3/4 of three classes, the student a third.
    teacher = torch.tensor([[math.log(6), 0.0, 0.0]])
    expected = 0.75 * math.log(0.75 * 3) + 0.25 * math.log(0.25 * 1.5)
    found = target_kl(
        student=torch.zeros(1, 3), teacher=teacher, target=torch.tensor([0]), temperature=1.0
    )
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_others_by_hand() -> None:
    # Among the other two the teacher says 3/4 and 1/4, the student even odds.
    teacher = torch.tensor([[9.0, math.log(3), 0.0]])
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    found = others_kl(
        student=torch.zeros(1, 3), teacher=teacher, target=torch.tensor([0]), temperature=1.0
    )
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_they_add_up_to_hintons_divergence() -> None:
    """Zhao et al., equation 6: KD = TCKD + (1 - p_t of the target) NCKD, image by image."""
    for row, target in enumerate(TARGET.tolist()):
        pair = {"student": STUDENT[row : row + 1], "teacher": TEACHER[row : row + 1]}
        asked = {**pair, "target": torch.tensor([target]), "temperature": 2.0}
        sure = torch.softmax(TEACHER[row] / 2, 0)[target]
        whole = softened_kl(**pair, temperature=2.0)
        torch.testing.assert_close(target_kl(**asked) + (1 - sure) * others_kl(**asked), whole)


def test_two_classes_leave_one_other() -> None:
    pair = {"student": STUDENT[:, :2], "teacher": TEACHER[:, :2], "target": TARGET % 2}
    assert others_kl(**pair, temperature=4.0).item() == 0.0


def test_target_entropy_by_hand() -> None:
    teacher = torch.tensor([[0.0, math.log(3)]])
    found = target_entropy(student=torch.zeros(1, 2), teacher=teacher, target=torch.tensor([1]))
    assert found.item() == pytest.approx(0.75 * math.log(2), rel=1e-6)


def test_others_keep_their_order() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert others(logits, torch.tensor([1, 0])).tolist() == [[1.0, 3.0], [5.0, 6.0]]


def test_a_sure_student_stays_finite() -> None:
    student = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    for loss in (target_kl, others_kl):
        loss(
            student=student, teacher=-student, target=torch.tensor([0]), temperature=1.0
        ).backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
