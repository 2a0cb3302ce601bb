"""Correlation losses against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from scipy.stats import pearsonr

from medistill.losses.relations import (
    batch_relations,
    class_relations,
    label_batch_relations,
    label_relations,
)

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


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize(("loss", "axis"), [(label_relations, 0), (label_batch_relations, 1)])
def test_scipys_correlation_of_known_labels_gives_the_same(
    loss: object, axis: int, temperature: float
) -> None:
    known = torch.ones(6, 4, dtype=torch.bool)
    known[0, 1] = known[0, 3] = known[2, 1] = known[3, 0] = False
    known[4, 1:] = False  # one known label has no correlation, and two, as in image 0, have 1 or -1
    ours, theirs = (expit(each.numpy() / temperature) for each in (STUDENT, TEACHER))
    rows = (range(6), range(4))[axis]
    each = []
    for row in rows:
        told = known[row].numpy() if axis == 0 else known[:, row].numpy()
        pair = [x[row] if axis == 0 else x[:, row] for x in (ours, theirs)]
        if told.sum() > 2:
            each.append(1 - pearsonr(*(x[told] for x in pair)).statistic)
    found = loss(student=STUDENT, teacher=TEACHER, temperature=temperature, known=known)  # type: ignore[operator]
    assert found.item() == pytest.approx(temperature**2 * np.mean(each), rel=1e-4)


@pytest.mark.parametrize("pairs", [False, True])
def test_without_three_known_labels_nothing_is_related(pairs: bool) -> None:
    student = STUDENT.clone().requires_grad_()
    few = torch.eye(4, dtype=torch.bool)[[0, 0, 1, 1, 2, 3]]
    few = few | few.roll(1, dims=1) if pairs else few
    loss = label_relations(student=student, teacher=TEACHER, temperature=1.0, known=few)
    loss.backward()
    assert loss.item() == 0
    assert student.grad is not None
    assert not student.grad.any()


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
