"""Locality guidance: which layers, and the distance of their maps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.methods.locality import Locality
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch


def student(depth: int) -> Any:
    return SimpleNamespace(feature_names=frozenset(f"tokens.{i}" for i in range(depth)))


@pytest.mark.parametrize(("depth", "chosen"), [(12, {0, 6, 11}), (6, {0, 3, 5}), (3, {0, 1, 2})])
def test_first_middle_and_last_are_guided(depth: int, chosen: set[int]) -> None:
    assert Locality().wants(student(depth)) == {f"tokens.{i}" for i in chosen}


def test_one_stage_guides_the_last_layer() -> None:
    assert Locality(teacher_stages=("stage3",)).wants(student(6)) == {"tokens.5"}
    two = Locality(teacher_stages=("stage2", "stage4"))
    assert two.wants(student(6)) == {"tokens.0", "tokens.5"}


def test_layers_counted_from_the_last_would_be_paired_with_other_stages() -> None:
    method = Locality(teacher_stages=("stage2", "stage4"), student_layers=(-2, 1))
    with pytest.raises(RecipeError, match=r"\[-2, 1\] counts from the last\. Count from 0"):
        method.wants(student(6))


def test_a_shallow_student_is_refused() -> None:
    with pytest.raises(RecipeError, match="it shows 2 layers, and locality guidance guides 3"):
        Locality().wants(student(2))


def test_guide_by_hand() -> None:
    """Maps of ones against maps of zeros are 1 apart; two pairs, weight 3."""
    method = Locality(teacher_stages=("stage3", "stage4"), guide_weight=3.0)
    ours = {"tokens.0": torch.ones(1, 5, 2), "tokens.5": torch.ones(1, 5, 2)}
    theirs = {"stage3": torch.zeros(1, 2, 4, 4), "stage4": torch.zeros(1, 2, 2, 2)}
    adapters = nn.ModuleDict({"stage3": nn.Identity(), "stage4": nn.Identity()})
    batch = make_batch(torch.eye(2)[:1])
    found = method.terms(Outputs(torch.zeros(1, 2), ours), theirs, batch, adapters)
    assert found["guide"].item() == pytest.approx(6.0)
    assert set(found) == {"hard", "guide"}


def test_adapters_fit_width_to_channels() -> None:
    dims = {"logits": (2,), "tokens.0": (5, 8), "tokens.3": (5, 8), "tokens.5": (5, 8)}
    stages = {"stage2": (16, 8, 8), "stage3": (24, 4, 4), "stage4": (32, 2, 2)}
    adapters = Locality().adapters(dims, stages)
    assert adapters["stage3"](torch.zeros(1, 8, 2, 2)).shape == (1, 24, 2, 2)
    with pytest.raises(RecipeError, match="'stage4' has no positions"):
        Locality().adapters(dims, {**stages, "stage4": (32,)})


def test_layers_may_be_named() -> None:
    method = Locality(teacher_stages=("stage3",), student_layers=(2,))
    assert method.wants(student(4)) == {"tokens.2"}
    with pytest.raises(RecipeError, match="it shows 2 layers, and locality guidance guides 3"):
        method.wants(student(2))
    with pytest.raises(RecipeError, match="2 layers for 1 stages"):
        Locality(teacher_stages=("stage3",), student_layers=(1, 2))


def test_layers_out_of_order_would_be_paired_with_other_stages() -> None:
    with pytest.raises(RecipeError, match=r"\[5, 3\] does not ascend"):
        Locality(teacher_stages=("stage4", "stage3"), student_layers=(5, 3))


def test_a_normalised_teacher_has_no_scale() -> None:
    """Channels 1 and 3 have mean 2 and deviation 1: they become -1 and 1, so zeros are 1 apart."""
    method = Locality(teacher_stages=("stage3",), guide_weight=1.0, normalise=True)
    theirs = torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    adapters = nn.ModuleDict({"stage3": nn.Identity()})
    for scale in (1.0, 100.0):
        outputs = Outputs(torch.zeros(1, 2), {"tokens.0": torch.zeros(1, 5, 2)})
        batch = make_batch(torch.eye(2)[:1])
        found = method.terms(outputs, {"stage3": scale * theirs}, batch, adapters)
        assert found["guide"].item() == pytest.approx(1.0, abs=1e-4)
