"""Ranking losses by hand, from plain loops and by what they do to a ranking."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score

from medistill.losses.ranking import lambda_rank, list_mle, pairwise_hinge

LOSSES = (list_mle, pairwise_hinge, lambda_rank)
GENERATOR = torch.Generator().manual_seed(0)


def scores(count: int = 8) -> torch.Tensor:
    return torch.randn(1, count, generator=GENERATOR)


def standard(values: torch.Tensor) -> list[float]:
    flat = values[0].double()
    return ((flat - flat.mean()) / flat.std(correction=0)).tolist()


def test_equal_scores_give_the_published_number() -> None:
    found = list_mle(student=torch.zeros(1, 196), teacher=torch.randn(1, 196), top=49)
    assert found.item() == pytest.approx(5.144, abs=0.0005)


def test_list_mle_has_the_published_finite_minimum() -> None:
    """Standardised scores cannot pile up on one token: 49 of 196 places reach 3.50 nats."""
    teacher = torch.arange(196.0, 0, -1)[None]
    student = teacher.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([student], lr=0.5, max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        found = list_mle(student=student, teacher=teacher, top=49)
        found.backward()
        return found

    optimiser.step(loss)
    assert loss().item() == pytest.approx(3.50, abs=0.01)


def test_list_mle_from_a_plain_loop() -> None:
    student, teacher = scores(), scores()
    s, order = standard(student), teacher[0].argsort(descending=True).tolist()
    total = 0.0
    for place in range(3):
        rest = sum(math.exp(s[token]) for token in order[place:])
        total -= s[order[place]] - math.log(rest)
    found = list_mle(student=student, teacher=teacher, top=3)
    assert found.item() == pytest.approx(total / 3, rel=1e-5)


def test_pairwise_hinge_from_a_plain_loop() -> None:
    student, teacher = scores(), scores()
    s, t = standard(student), teacher[0].tolist()
    first = teacher[0].topk(3).indices.tolist()
    pairs = [(i, j) for i in first for j in range(8) if t[i] != t[j]]
    each = [max(0, 0.1 - (s[i] - s[j]) * math.copysign(1, t[i] - t[j])) for i, j in pairs]
    found = pairwise_hinge(student=student, teacher=teacher, top=3)
    assert found.item() == pytest.approx(sum(each) / len(each), rel=1e-5)


def test_lambda_weights_are_the_change_in_ndcg() -> None:
    """scikit-learn's NDCG of the student's order before and after each swap."""
    student, teacher = scores(5), scores(5)
    s, gain = standard(student), teacher[0].double().exp().numpy()
    values = np.array(s)
    total, pairs = 0.0, 0
    for i in range(5):
        for j in range(5):
            if gain[i] > gain[j]:
                swapped = values.copy()
                swapped[[i, j]] = values[[j, i]]
                change = ndcg_score([gain], [values], k=3) - ndcg_score([gain], [swapped], k=3)
                total += abs(change) * math.log1p(math.exp(-(s[i] - s[j])))
                pairs += 1
    found = lambda_rank(student=student, teacher=teacher, top=3)
    assert found.item() == pytest.approx(total / pairs, rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_better_ranking_costs_less_whatever_its_scale(loss: object) -> None:
    teacher = scores(20)
    good, bad = (loss(student=w * teacher, teacher=teacher, top=5) for w in (1, -1))  # type: ignore[operator]
    assert good < bad
    scaled = loss(student=7 * teacher + 3, teacher=teacher, top=5)  # type: ignore[operator]
    torch.testing.assert_close(scaled, good)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_reaches_the_student_alone_and_stays_bounded(loss: object) -> None:
    student, teacher = scores().requires_grad_(), scores().requires_grad_()
    loss(student=student, teacher=teacher, top=3).backward()  # type: ignore[operator]
    assert student.grad is not None
    assert student.grad.any()
    assert teacher.grad is None
    flat = torch.zeros(2, 8, requires_grad=True)
    loss(student=flat, teacher=torch.randn(2, 8), top=3).backward()  # type: ignore[operator]
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_more_places_than_tokens_are_a_mistake(loss: object) -> None:
    with pytest.raises(ValueError, match="9 of 8 tokens cannot be ranked"):
        loss(student=scores(), teacher=scores(), top=9)  # type: ignore[operator]
