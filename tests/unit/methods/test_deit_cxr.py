"""DeiT on chest radiographs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.deit_cxr import DeiTCXR
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

WEIGHTS = (1.7, 6.65, 3.852)
# The class token is at even odds; the other gives the teacher's class 1/2 and then 1/3.
HEAD = torch.zeros(2, 3)
DIST = torch.tensor([[0.0, 0.0, math.log(2)], [0.0, 0.0, 0.0]])
TEACHER = torch.tensor([[0.0, 1.0, 9.0], [5.0, 0.0, 0.0]])


def terms(method: DeiTCXR) -> dict[str, float]:
    outputs = Outputs(HEAD, {"head": HEAD, "head_dist": DIST})
    found = method.terms(
        outputs, {"logits": TEACHER}, make_batch(torch.eye(3)[:2]), nn.ModuleDict()
    )
    return {name: value.item() for name, value in found.items()}


def test_hard_by_hand() -> None:
    found = terms(DeiTCXR())
    assert found["head"] == pytest.approx(0.5 * math.log(3), rel=1e-6)
    assert found["head_dist"] == pytest.approx(0.25 * (math.log(2) + math.log(3)), rel=1e-6)


def test_weighted_by_hand() -> None:
    found = terms(DeiTCXR(kind="hard_weighted", class_weights=WEIGHTS))
    mean = (3.852 * math.log(2) + 1.7 * math.log(3)) / (3.852 + 1.7)
    assert found["head_dist"] == pytest.approx(0.5 * mean, rel=1e-6)


def test_weights_and_kind_go_together() -> None:
    with pytest.raises(RecipeError, match="0 weights for the kind 'hard_weighted'"):
        DeiTCXR(kind="hard_weighted")
    with pytest.raises(RecipeError, match="3 weights for the kind 'hard'"):
        DeiTCXR(class_weights=WEIGHTS)
    with pytest.raises(RecipeError, match="a weight is no number above 0"):
        DeiTCXR(kind="hard_weighted", class_weights=(1.0, 0.0))
    with pytest.raises(RecipeError, match="a weight is no number above 0"):
        DeiTCXR(kind="hard_weighted", class_weights=(1.0, math.inf))
    with pytest.raises(RecipeError, match="3 weights for 4 classes"):
        DeiTCXR(kind="hard_weighted", class_weights=WEIGHTS).adapters(
            {"logits": (4,)}, {"logits": (4,)}
        )


def test_a_decision_has_no_scores_to_standardise() -> None:
    scores = {"logits": (3,)}
    DeiTCXR(kind="soft", standardise=True).adapters(scores, scores)
    with pytest.raises(
        RecipeError, match="method.standardise: it does nothing where the teacher's"
    ):
        DeiTCXR(kind="hard", standardise=True).adapters(scores, scores)
