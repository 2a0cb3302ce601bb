"""Hinton's terms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.losses.logits import softened_kl
from medistill.methods.hinton import Hinton
from medistill.methods.kdvit import KDViT
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch


def test_terms_by_hand() -> None:
    teacher = torch.tensor([[0.0, 2 * math.log(3)]])
    found = Hinton(temperature=2.0, soft_weight=0.5).terms(
        Outputs(torch.zeros(1, 2), {}),
        {"logits": teacher},
        make_batch(torch.tensor([[0.0, 1.0]])),
        nn.ModuleDict(),
    )
    divergence = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert found["hard"].item() == pytest.approx(0.5 * math.log(2), rel=1e-6)
    assert found["soft"].item() == pytest.approx(0.5 * 4 * divergence, rel=1e-6)


def test_kdvit_has_the_same_loss() -> None:
    logits, teacher, batch = torch.randn(4, 3), torch.randn(4, 3), make_batch(torch.eye(3)[[0] * 4])
    pair = [
        method.terms(Outputs(logits, {}), {"logits": teacher}, batch, nn.ModuleDict())
        for method in (Hinton(temperature=3.0), KDViT(temperature=3.0))
    ]
    assert pair[0] == pair[1]


def test_standardised_scores_forget_the_teachers_scale() -> None:
    logits, teacher, batch = torch.randn(4, 3), torch.randn(4, 3), make_batch(torch.eye(3)[[0] * 4])
    method = Hinton(standardise=True, soft_weight=1.0)
    pair = [
        method.terms(Outputs(logits, {}), {"logits": scale * teacher}, batch, nn.ModuleDict())
        for scale in (1, 9)
    ]
    torch.testing.assert_close(pair[0]["soft"], pair[1]["soft"])
    plain = softened_kl(student=logits, teacher=teacher, temperature=4.0)
    assert abs(pair[0]["soft"] - plain) > 1e-3


def test_two_classes_are_not_standardised() -> None:
    with pytest.raises(RecipeError, match="method.standardise"):
        Hinton(standardise=True).adapters({"logits": (2,)}, {"logits": (2,)})
