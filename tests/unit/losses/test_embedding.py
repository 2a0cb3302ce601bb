"""Smooth L1 to layer-normalised embeddings."""

from __future__ import annotations

import pytest
import torch

from medistill.losses.embedding import embedding_match


def test_by_hand() -> None:
    teacher = torch.tensor([[0.0, 10.0]])  # mean 5, deviation 5: normalised to -1 and 1
    student = torch.tensor([[-0.5, 4.0]])  # off by 1/2 (squared: 1/8) and by 3 (linear: 5/2)
    loss = embedding_match(student=student, teacher=teacher)
    assert loss.item() == pytest.approx((0.125 + 2.5) / 2, abs=1e-6)


def test_scale_and_shift_of_the_teacher_do_not_matter() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 8), torch.randn(4, 8)
    torch.testing.assert_close(
        embedding_match(student=student, teacher=teacher),
        embedding_match(student=student, teacher=100 * teacher - 7),
        rtol=1e-4,
        atol=1e-5,
    )


def test_constant_embeddings_on_either_side_are_safe() -> None:
    student = torch.zeros(2, 8, requires_grad=True)
    loss = embedding_match(student=student, teacher=torch.full((2, 8), 3.0))
    loss.backward()
    assert loss.item() == 0.0
    varied = embedding_match(student=student, teacher=torch.randn(2, 8))
    varied.backward()
    assert student.grad is not None
    assert student.grad.abs().max() <= 1.0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"student \(2, 3\) against teacher \(2, 4\)"):
        embedding_match(student=torch.zeros(2, 3), teacher=torch.zeros(2, 4))
