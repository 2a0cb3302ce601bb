"""DeiT's terms, and timm's token task beside them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.deit import DeiT
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

HEAD = torch.tensor([[0.0, math.log(3)]])
DIST = torch.tensor([[0.0, 0.0]])
TEACHER = torch.tensor([[math.log(3), 0.0]])


def terms(**values: Any) -> dict[str, float]:
    outputs = Outputs((HEAD + DIST) / 2, {"head": HEAD, "head_dist": DIST})
    batch = make_batch(torch.tensor([[0.0, 1.0]]))
    found = DeiT(**values).terms(outputs, {"logits": TEACHER}, batch, nn.ModuleDict())
    return {name: value.item() for name, value in found.items()}


def test_hard_by_hand() -> None:
    """The class token learns the label, the other one the teacher's decision."""
    found = terms()
    assert found["head"] == pytest.approx(-0.5 * math.log(0.75), rel=1e-6)
    assert found["head_dist"] == pytest.approx(0.5 * math.log(2), rel=1e-6)


def test_soft_by_hand() -> None:
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    found = terms(kind="soft", soft_weight=0.1)
    assert found["head"] == pytest.approx(-0.9 * math.log(0.75), rel=1e-6)
    assert found["head_dist"] == pytest.approx(0.1 * divergence, rel=1e-6)
    halved = terms(kind="soft", soft_weight=0.1, per_class=True)
    assert halved["head_dist"] == pytest.approx(found["head_dist"] / 2, rel=1e-6)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match="method.kind: 'mild'"):
        DeiT(kind="mild")  # type: ignore[arg-type]
