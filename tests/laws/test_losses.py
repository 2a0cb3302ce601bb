"""What holds for every loss, whatever it computes.

Each entry is a function of the student's tensor and of what it is held against, both (B, D), with
an argument at which both agree and the loss there; None where the loss is not smallest at agreement
(a decision, a ranking or a label is approached without end). A new loss gets a line in ``LOSSES``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from medistill import losses
from medistill.losses.affinity import embedding_affinity, position_affinity
from medistill.losses.attention import attention_transfer
from medistill.losses.contourlet import contourlet_match
from medistill.losses.decoupled import others_kl, target_entropy, target_kl
from medistill.losses.embedding import embedding_match
from medistill.losses.hard import hard_decision
from medistill.losses.labels import binary_cross_entropy, binary_kl, focal
from medistill.losses.logits import softened_kl
from medistill.losses.maps import map_match, token_match
from medistill.losses.masks import pixel_cross_entropy, pixel_kl, soft_dice
from medistill.losses.one_for_all import target_enhanced, target_enhanced_labels
from medistill.losses.pyramid import pyramid_match
from medistill.losses.ranking import lambda_rank, list_mle, pairwise_hinge
from medistill.losses.relations import (
    batch_relations,
    class_relations,
    label_batch_relations,
    label_relations,
)
from medistill.losses.similarity import similarity_preserving
from medistill.losses.standard import standardised
from medistill.losses.task import cross_entropy

UNLABELLED = torch.tensor(float("nan"))


class Law(NamedTuple):
    """A loss, what it is held against, its minimum, and whether a doubled batch leaves it."""

    loss: Callable[[Tensor, Tensor], Tensor]
    other: Callable[[Tensor], Tensor] = lambda raw: raw
    agreed: Callable[[Tensor], Tensor] | None = lambda raw: raw
    minimum: Callable[[Tensor], float] = lambda _: 0.0
    steady: bool = True


def softmax(raw: Tensor) -> Tensor:
    return torch.softmax(raw, dim=-1)


def two_sided_entropy(chances: Tensor) -> float:
    """Of yes and no, summed over labels."""
    yes, no = chances * chances.log(), (1 - chances) * (1 - chances).log()
    return -(yes + no).sum(-1).mean().item()


def maps(rows: Tensor) -> Tensor:
    """(B, 2, 8, 8) maps whose values are those of (B, 5) rows, each in many places."""
    places = torch.randint(0, 5, (2 * 8 * 8,), generator=torch.Generator().manual_seed(3))
    return rows[:, places].reshape(-1, 2, 8, 8)


def pixels(rows: Tensor) -> Tensor:
    """(B, 5, 1, 1) class scores of one pixel an image."""
    return rows[:, :, None, None]


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
        minimum=lambda p: two_sided_entropy(p),
    ),
    "label_relations": Law(lambda s, t: label_relations(student=s, teacher=t, temperature=2.0)),
    "label_batch_relations": Law(
        lambda s, t: label_batch_relations(student=s, teacher=t, temperature=2.0)
    ),
    "target_enhanced_labels": Law(
        lambda s, t: target_enhanced_labels(student=s, teacher=t, labels=UNLABELLED, power=1.0),
        minimum=lambda raw: two_sided_entropy(torch.sigmoid(raw)),
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
    "position_affinity": Law(
        lambda s, t: position_affinity(student=maps(s), teacher=maps(t), temperature=0.5)
    ),
    "contourlet_match": Law(
        lambda s, t: contourlet_match(student=maps(s), teacher=maps(t), directions=(2,)) / 10
    ),
    "contourlet_match, ladder": Law(
        lambda s, t: (
            contourlet_match(student=maps(s), teacher=maps(t), directions=(2,), ladder=True) / 10
        )
    ),
    "contourlet_match, plain": Law(
        lambda s, t: contourlet_match(
            student=maps(s), teacher=maps(t), directions=(2,), relative=False
        )
    ),
    "pyramid_match": Law(lambda s, t: pyramid_match(student=maps(s), teacher=maps(t))),
    "pixel_kl": Law(lambda s, t: pixel_kl(student=pixels(s), teacher=pixels(t), temperature=2.0)),
    "pixel_cross_entropy": Law(
        lambda s, t: pixel_cross_entropy(logits=pixels(s), masks=pixels(t).argmax(1)), agreed=None
    ),
    "soft_dice": Law(
        # Every image holds foreground, of which Dice speaks alone.
        lambda s, t: soft_dice(logits=pixels(s), masks=1 + pixels(t)[:, 1:].argmax(1)),
        agreed=None,
    ),
    "focal": Law(
        lambda s, t: focal(logits=s, labels=t.round(), focus=2.0, positive=0.25),
        other=torch.sigmoid,
        agreed=None,
    ),
    "hard_decision": Law(lambda s, t: hard_decision(student=s, teacher=t), agreed=None),
    "target_entropy": Law(
        lambda s, t: target_entropy(student=s, teacher=t, target=t.argmax(-1)), agreed=None
    ),
    "list_mle": Law(lambda s, t: list_mle(student=s, teacher=t, top=3), agreed=None),
    "pairwise_hinge": Law(
        lambda s, t: pairwise_hinge(student=s, teacher=t, top=3, margin=1.0), agreed=None
    ),
    "lambda_rank": Law(lambda s, t: lambda_rank(student=s, teacher=t, top=3), agreed=None),
    "embedding_match": Law(
        lambda s, t: embedding_match(student=s, teacher=t),
        agreed=partial(functional.layer_norm, normalized_shape=(5,)),
    ),
}


def over(laws: dict[str, Law]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("law", laws.values(), ids=laws)


every_loss = over(LOSSES)
agreeing = over({name: law for name, law in LOSSES.items() if law.agreed is not None})
steady = over({name: law for name, law in LOSSES.items() if law.steady})


def test_no_loss_is_forgotten() -> None:
    """Every public function of ``losses`` that takes a teacher or labels stands in the table."""
    held = {word.rstrip(",") for name in LOSSES for word in name.split()}
    for module in pkgutil.iter_modules(losses.__path__):
        found = importlib.import_module(f"medistill.losses.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            takes = {"teacher", "labels", "masks"} & set(inspect.signature(function).parameters)
            if function.__module__ == found.__name__ and not name.startswith("_") and takes:
                assert name in held


@pytest.fixture
def student() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.fixture
def raw() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(1)) * 2


@every_loss
def test_it_is_a_float32_scalar(law: Law, student: Tensor, raw: Tensor) -> None:
    loss = law.loss(student, law.other(raw))
    assert loss.shape == ()
    assert loss.dtype == torch.float32


@every_loss
def test_gradient_reaches_the_student_and_nothing_else(
    law: Law, student: Tensor, raw: Tensor
) -> None:
    other = law.other(raw).requires_grad_()
    law.loss(student, other).backward()
    assert student.grad is not None
    assert student.grad.abs().sum(-1).min() > 0, "an image teaches nothing"
    assert other.grad is None


@agreeing
def test_minimum_is_where_both_agree(law: Law, student: Tensor, raw: Tensor) -> None:
    assert law.agreed is not None
    other, agreed = law.other(raw), law.agreed(raw).detach().requires_grad_()
    loss = law.loss(agreed, other)
    loss.backward()
    assert loss.item() == pytest.approx(law.minimum(other), abs=1e-6)
    assert agreed.grad is not None
    assert agreed.grad.abs().max() < 1e-6
    assert law.loss(student, other) > loss


@every_loss
def test_a_step_along_the_gradient_helps(law: Law, student: Tensor, raw: Tensor) -> None:
    loss = law.loss(student, law.other(raw))
    (gradient,) = torch.autograd.grad(loss, student)
    assert law.loss(student - 0.1 * gradient, law.other(raw)) < loss


@every_loss
def test_order_of_the_batch_does_not_matter(law: Law, student: Tensor, raw: Tensor) -> None:
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        law.loss(student[order], law.other(raw)[order]), law.loss(student, law.other(raw))
    )


@steady
def test_a_batch_twice_over_has_the_same_loss(law: Law, student: Tensor, raw: Tensor) -> None:
    other = law.other(raw)
    twice = law.loss(torch.cat([student, student]), torch.cat([other, other]))
    torch.testing.assert_close(twice, law.loss(student, other))


@pytest.mark.parametrize("scale", [1.0, 300.0])
@every_loss
def test_finite_in_bfloat16(law: Law, student: Tensor, raw: Tensor, scale: float) -> None:
    half = (student.detach() * scale).to(torch.bfloat16).requires_grad_()
    loss = law.loss(half, law.other(raw * scale).to(torch.bfloat16))
    loss.backward()
    assert loss.isfinite()
    assert half.grad is not None
    assert half.grad.isfinite().all()


@every_loss
def test_low_precision_is_lost_in_the_input_alone(law: Law, student: Tensor, raw: Tensor) -> None:
    half, other = student.detach().to(torch.bfloat16), law.other(raw).to(torch.bfloat16)
    loss = law.loss(half, other)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, law.loss(half.float(), other.float()))


@every_loss
def test_equal_rows_are_safe(law: Law, student: Tensor, raw: Tensor) -> None:
    flat = torch.zeros_like(student).requires_grad_()
    loss = law.loss(flat, law.other(torch.zeros_like(raw)))
    loss.backward()
    assert loss.isfinite()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()
