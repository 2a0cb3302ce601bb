"""What holds for every loss, whatever it computes.

Each entry is a function of the student's tensor and of what it is held against, both (B, D), with
an argument at which both agree and the loss there. A new loss gets a line in ``LOSSES``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from medistill.losses.affinity import embedding_affinity
from medistill.losses.attention import attention_transfer
from medistill.losses.decoupled import others_kl, target_kl
from medistill.losses.embedding import embedding_match
from medistill.losses.labels import binary_cross_entropy, binary_kl
from medistill.losses.logits import softened_kl
from medistill.losses.maps import map_match, token_match
from medistill.losses.one_for_all import target_enhanced
from medistill.losses.relations import batch_relations, class_relations
from medistill.losses.similarity import similarity_preserving
from medistill.losses.standard import standardised
from medistill.losses.task import cross_entropy

UNLABELLED = torch.tensor(float("nan"))


class Law(NamedTuple):
    """A loss, what it is held against, its minimum, and whether a doubled batch leaves it."""

    loss: Callable[[Tensor, Tensor], Tensor]
    other: Callable[[Tensor], Tensor] = lambda raw: raw
    agreed: Callable[[Tensor], Tensor] = lambda raw: raw
    minimum: Callable[[Tensor], float] = lambda _: 0.0
    steady: bool = True


def softmax(raw: Tensor) -> Tensor:
    return torch.softmax(raw, dim=-1)


LOSSES = {
    "softened_kl T=1": Law(lambda s, t: softened_kl(student=s, teacher=t, temperature=1.0)),
    "softened_kl T=4": Law(lambda s, t: softened_kl(student=s, teacher=t, temperature=4.0)),
    "cross_entropy": Law(
        lambda s, t: cross_entropy(logits=s, labels=t),
        other=softmax,
        minimum=lambda p: -(p * p.log()).sum(-1).mean().item(),
    ),
    "class_relations": Law(lambda s, t: class_relations(student=s, teacher=t, temperature=2.0)),
    "batch_relations": Law(lambda s, t: batch_relations(student=s, teacher=t, temperature=2.0)),
    "target_kl": Law(
        lambda s, t: target_kl(student=s, teacher=t, target=t.argmax(-1), temperature=2.0)
    ),
    "others_kl": Law(
        lambda s, t: others_kl(student=s, teacher=t, target=t.argmax(-1), temperature=2.0)
    ),
    "standardised softened_kl": Law(
        lambda s, t: softened_kl(
            student=standardised(s), teacher=standardised(t.detach()), temperature=2.0
        )
    ),
    "target_enhanced": Law(
        lambda s, t: target_enhanced(student=s, teacher=t, labels=UNLABELLED, power=1.0),
        minimum=lambda raw: -(softmax(raw) * softmax(raw).log()).sum(-1).mean().item(),
    ),
    "binary_kl": Law(lambda s, t: binary_kl(student=s, teacher=t, temperature=2.0)),
    "binary_cross_entropy": Law(
        lambda s, t: binary_cross_entropy(logits=s, labels=t),
        other=torch.sigmoid,
        minimum=lambda p: -(p * p.log() + (1 - p) * (1 - p).log()).sum(-1).mean().item(),
    ),
    "token_match": Law(lambda s, t: token_match(student=s[:, None], teacher=t[:, None]) / 81),
    "map_match": Law(
        lambda s, t: map_match(student=s[:, :, None, None], teacher=t[:, :, None, None])
    ),
    "embedding_affinity": Law(
        lambda s, t: embedding_affinity(student=s, teacher=t, temperature=0.5)
    ),
    "attention_transfer": Law(
        lambda s, t: attention_transfer(student=s[:, None, None], teacher=t[:, None, None])
    ),
    "similarity_preserving": Law(
        lambda s, t: similarity_preserving(student=s, teacher=t), steady=False
    ),
    "embedding_match": Law(
        lambda s, t: embedding_match(student=s, teacher=t),
        agreed=partial(functional.layer_norm, normalized_shape=(5,)),
    ),
}
pytestmark = pytest.mark.parametrize("law", LOSSES.values(), ids=LOSSES)


@pytest.fixture
def student() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def raw() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(1)) * 2


def test_it_is_a_float32_scalar(law: Law, student: Tensor, raw: Tensor) -> None:
    loss = law.loss(student, law.other(raw))
    assert loss.shape == ()
    assert loss.dtype == torch.float32


def test_gradient_reaches_the_student_and_nothing_else(
    law: Law, student: Tensor, raw: Tensor
) -> None:
    other = law.other(raw).requires_grad_()
    law.loss(student, other).backward()
    assert student.grad is not None
    assert student.grad.abs().sum(-1).min() > 0, "an image teaches nothing"
    assert other.grad is None


def test_minimum_is_where_both_agree(law: Law, student: Tensor, raw: Tensor) -> None:
    other, agreed = law.other(raw), law.agreed(raw).detach().requires_grad_()
    loss = law.loss(agreed, other)
    loss.backward()
    assert loss.item() == pytest.approx(law.minimum(other), abs=1e-6)
    assert agreed.grad is not None
    assert agreed.grad.abs().max() < 1e-6
    assert law.loss(student, other) > loss


def test_a_step_along_the_gradient_helps(law: Law, student: Tensor, raw: Tensor) -> None:
    loss = law.loss(student, law.other(raw))
    (gradient,) = torch.autograd.grad(loss, student)
    assert law.loss(student - 0.1 * gradient, law.other(raw)) < loss


def test_order_of_the_batch_does_not_matter(law: Law, student: Tensor, raw: Tensor) -> None:
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        law.loss(student[order], law.other(raw)[order]), law.loss(student, law.other(raw))
    )


def test_a_batch_twice_over_has_the_same_loss(law: Law, student: Tensor, raw: Tensor) -> None:
    if not law.steady:
        pytest.skip("compares images with each other")
    other = law.other(raw)
    twice = law.loss(torch.cat([student, student]), torch.cat([other, other]))
    torch.testing.assert_close(twice, law.loss(student, other))


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_finite_in_bfloat16(law: Law, student: Tensor, raw: Tensor, scale: float) -> None:
    half = (student.detach() * scale).to(torch.bfloat16).requires_grad_()
    loss = law.loss(half, law.other(raw * scale).to(torch.bfloat16))
    loss.backward()
    assert loss.isfinite()
    assert half.grad is not None
    assert half.grad.isfinite().all()


def test_low_precision_is_lost_in_the_input_alone(law: Law, student: Tensor, raw: Tensor) -> None:
    half, other = student.detach().to(torch.bfloat16), law.other(raw).to(torch.bfloat16)
    loss = law.loss(half, other)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, law.loss(half.float(), other.float()))


def test_equal_rows_are_safe(law: Law, student: Tensor, raw: Tensor) -> None:
    flat = torch.zeros_like(student).requires_grad_()
    loss = law.loss(flat, law.other(torch.zeros_like(raw)))
    loss.backward()
    assert loss.isfinite()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
