"""Several labels alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.supervised_labels import SupervisedLabels
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

BATCH = make_batch(torch.tensor([[1.0, 0.0, 1.0]]))


def test_cross_entropy_by_hand() -> None:
    found = SupervisedLabels().terms(Outputs(torch.zeros(1, 3), {}), {}, BATCH, nn.ModuleDict())
    assert found["hard"].item() == pytest.approx(3 * math.log(2))


def test_focal_by_hand() -> None:
    """At even odds (1 - p)^2 = 1/4; two yes of weight .25 and a no of .75."""
    method = SupervisedLabels(focus=2.0, positive=0.25)
    found = method.terms(Outputs(torch.zeros(1, 3), {}), {}, BATCH, nn.ModuleDict())
    assert found["hard"].item() == pytest.approx((2 * 0.25 + 0.75) * 0.25 * math.log(2))


def test_both_heads_learn() -> None:
    features = {name: torch.zeros(1, 3) for name in ("head", "head_dist")}
    found = SupervisedLabels().terms(
        Outputs(torch.zeros(1, 3), features), {}, BATCH, nn.ModuleDict()
    )
    assert set(found) == {"head", "head_dist"}
    assert sum(value.item() for value in found.values()) == pytest.approx(3 * math.log(2))


def test_a_focus_below_one_is_refused() -> None:
    with pytest.raises(RecipeError, match="method.focus"):
        SupervisedLabels(focus=0.5)
