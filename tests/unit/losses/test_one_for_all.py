"""The target-enhanced cross-entropy by hand."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.one_for_all import target_enhanced, target_enhanced_labels

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


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_each_label_is_two_classes(power: float) -> None:
    """Logits z and 0 of two classes have the probabilities of a label with the logit z."""
    ours, theirs = torch.tensor([[0.3, -1.2]]), torch.tensor([[math.log(3), 2.0]])
    labels = torch.tensor([[1.0, 0.0]])
    expected = 0.0
    for place in range(2):
        pair = [torch.stack([x[0, place], torch.tensor(0.0)])[None] for x in (ours, theirs)]
        truth = torch.tensor([[labels[0, place], 1 - labels[0, place]]])
        two = target_enhanced(student=pair[0], teacher=pair[1], labels=truth, power=power)
        expected += two.item()
    found = target_enhanced_labels(student=ours, teacher=theirs, labels=labels, power=power)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_a_label_of_which_the_teacher_is_silent_does_not_count() -> None:
    labels = torch.tensor([[1.0, float("nan")]])
    known = torch.tensor([[True, False]])
    asked = {"teacher": SURE, "power": 1.5}
    alone = target_enhanced_labels(
        student=EVEN[:, :1], teacher=SURE[:, :1], labels=labels[:, :1], power=1.5
    )
    found = target_enhanced_labels(student=EVEN, labels=labels, known=known, **asked)
    assert found.item() == pytest.approx(alone.item())
    unlabelled = torch.full((1, 1), float("nan"))  # y and n are 0: p log q of both
    found = target_enhanced_labels(
        student=EVEN[:, :1], teacher=SURE[:, :1], labels=unlabelled, power=1.0
    )
    assert found.item() == pytest.approx(math.log(2))
