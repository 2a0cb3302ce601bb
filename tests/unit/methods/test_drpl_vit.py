"""DRPL-ViT's loss is DeiT's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.deit import DeiT
from medistill.methods.drpl_vit import DRPLViT
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_loss_is_deits(kind: str) -> None:
    features = {name: torch.randn(4, 4) for name in ("head", "head_dist")}
    outputs, targets = Outputs(torch.zeros(4, 4), features), {"logits": torch.randn(4, 4)}
    asked = (outputs, targets, make_batch(torch.eye(4)), nn.ModuleDict())
    pair = [
        method(kind=kind, temperature=3.0, soft_weight=0.1).terms(*asked)  # type: ignore[arg-type]
        for method in (DRPLViT, DeiT)
    ]
    assert pair[0] == pair[1]


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(RecipeError, match="method.soft_weight"):
        DRPLViT(soft_weight=2.0)
    with pytest.raises(RecipeError, match="it scores 2 classes, the student 4"):
        DRPLViT().adapters({"logits": (4,)}, {"logits": (2,)})
