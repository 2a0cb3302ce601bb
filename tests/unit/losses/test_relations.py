"""Correlation losses against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import pearsonr

from medistill.losses.relations import batch_relations, class_relations

GENERATOR = torch.Generator().manual_seed(0)
STUDENT = torch.randn(6, 4, generator=GENERATOR)
TEACHER = torch.randn(6, 4, generator=GENERATOR)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize(("loss", "axis"), [(class_relations, 0), (batch_relations, 1)])
def test_scipys_correlation_gives_the_same(loss: object, axis: int, temperature: float) -> None:
    pairs = [softmax(each.numpy() / temperature, axis=1) for each in (STUDENT, TEACHER)]
    rows = zip(*(pair if axis == 0 else pair.T for pair in pairs), strict=True)
    expected = temperature**2 * np.mean([1 - pearsonr(a, b).statistic for a, b in rows])
    found = loss(student=STUDENT, teacher=TEACHER, temperature=temperature)  # type: ignore[operator]
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_opposite_orders_are_two_apart() -> None:
    up, down = torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[2.0, 1.0, 0.0]])
    # exp(0), exp(1), exp(2) and their reverse: r = (2ac + b^2 - 3m^2) / (a^2 + b^2 + c^2 - 3m^2)
    a, b, c = np.exp([0.0, 1.0, 2.0])
    mean = (a + b + c) / 3
    r = (2 * a * c + b * b - 3 * mean**2) / (a * a + b * b + c * c - 3 * mean**2)
    found = class_relations(student=up, teacher=down, temperature=1.0)
    assert found.item() == pytest.approx(1 - r, rel=1e-5)


def test_two_classes_have_no_gradient_over_classes_but_over_the_batch() -> None:
    student = torch.randn(5, 2, generator=GENERATOR).requires_grad_()
    teacher = torch.randn(5, 2, generator=GENERATOR)
    within = class_relations(student=student, teacher=teacher, temperature=1.0)
    across = batch_relations(student=student, teacher=teacher, temperature=1.0)
    (inert,) = torch.autograd.grad(within, student)
    (taught,) = torch.autograd.grad(across, student)
    assert inert.abs().max() < 1e-5
    assert taught.abs().max() > 1e-3


def test_equal_scores_have_a_bounded_gradient() -> None:
    flat = torch.zeros(4, 3, requires_grad=True)
    for loss in (class_relations, batch_relations):
        loss(student=flat, teacher=TEACHER[:4, :3], temperature=1.0).backward()
    assert flat.grad is not None
    assert flat.grad.abs().max() < 100
