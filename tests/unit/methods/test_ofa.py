"""OFA: exits at even depths, each held against the teacher's scores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.losses.one_for_all import target_enhanced
from medistill.methods.ofa import OFA
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch


def student(depth: int) -> Any:
    return SimpleNamespace(feature_names=frozenset(f"tokens.{i}" for i in range(depth)))


def test_four_exits_at_quarters() -> None:
    assert OFA().wants(student(12)) == {"tokens.2", "tokens.5", "tokens.8", "tokens.11"}
    with pytest.raises(RecipeError, match="it shows 3 layers, and ofa guides 4"):
        OFA().wants(student(3))


def test_exits_by_hand() -> None:
    """An exit that passes the pooled patches on gives exactly their loss."""
    tokens = torch.randn(2, 5, 3)
    logits, teacher, batch = torch.randn(2, 3), torch.randn(2, 3), make_batch(torch.eye(3)[:2])
    adapters = nn.ModuleDict({"exits": nn.ModuleList([nn.Identity()])})
    method = OFA(exits=1, power=1.5, exit_weight=2.0)
    outputs = Outputs(logits, {"tokens.3": tokens})
    found = method.terms(outputs, {"logits": teacher}, batch, adapters)
    asked = {"teacher": teacher, "labels": batch.labels, "power": 1.5}
    torch.testing.assert_close(found["soft"], 2 * target_enhanced(student=logits, **asked))
    pooled = tokens[:, 1:].mean(dim=1)
    torch.testing.assert_close(found["exits"], 2 * target_enhanced(student=pooled, **asked))


@pytest.mark.parametrize("values", [{"exits": 0}, {"power": 0.5}])
def test_impossible_values_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"method.{next(iter(values))}: .* is impossible"):
        OFA(**values)  # type: ignore[arg-type]
