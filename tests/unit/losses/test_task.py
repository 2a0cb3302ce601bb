"""Cross-entropy with class probabilities and unlabelled rows."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medistill.losses.task import cross_entropy

NAN = float("nan")


def test_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])  # 1/4, 3/4 and 1/2, 1/2
    labels = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    by_hand = (-math.log(0.75) + math.log(2)) / 2
    assert cross_entropy(logits=logits, labels=labels).item() == pytest.approx(by_hand, rel=1e-6)


def test_pytorchs_cross_entropy_gives_the_same() -> None:
    torch.manual_seed(0)
    logits, index = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    hard = functional.one_hot(index, 4).float()
    torch.testing.assert_close(
        cross_entropy(logits=logits, labels=hard), functional.cross_entropy(logits, index)
    )
    smooth = hard * 0.9 + 0.1 / 4
    torch.testing.assert_close(
        cross_entropy(logits=logits, labels=smooth),
        functional.cross_entropy(logits, index, label_smoothing=0.1),
    )


def test_unlabelled_rows_neither_count_nor_learn() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [5.0, -5.0]], requires_grad=True)
    labels = torch.tensor([[0.0, 1.0], [NAN, NAN]])
    loss = cross_entropy(logits=logits, labels=labels)
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(0.75), rel=1e-6)
    assert logits.grad is not None
    assert logits.grad[1].tolist() == [0.0, 0.0]
    assert logits.grad[0].tolist() == pytest.approx([0.25, -0.25])


def test_no_labelled_row_gives_zero_that_can_be_differentiated() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    loss = cross_entropy(logits=logits, labels=torch.full((3, 2), NAN))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_row_that_is_partly_nan_is_refused() -> None:
    labels = torch.tensor([[1.0, 0.0], [NAN, 1.0]])
    with pytest.raises(ValueError, match="NaN in some classes only: these are multi-label"):
        cross_entropy(logits=torch.zeros(2, 2), labels=labels)


def test_nan_logits_are_not_hidden() -> None:
    logits = torch.tensor([[NAN, 0.0], [0.0, 0.0]])
    assert cross_entropy(logits=logits, labels=torch.eye(2)).isnan()


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"logits \(2, 3\) against labels \(2, 2\)"):
        cross_entropy(logits=torch.zeros(2, 3), labels=torch.eye(2))
