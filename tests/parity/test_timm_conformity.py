"""Distilling with us is distilling with timm: the same losses, step by step, for 20 steps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from torch import nn

from benchmarks.conformity import Objective, compare, sharpened

SMALL: dict[str, Any] = {"img_size": 32, "patch_size": 8, "depth": 2, "num_classes": 3}


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    """A student and a teacher of timm's that differ in width and in normalisation."""
    torch.manual_seed(0)
    student = timm.create_model("vit_tiny_patch16_224", embed_dim=48, num_heads=3, **SMALL)
    teacher = timm.create_model("deit_small_patch16_224", embed_dim=96, num_heads=4, **SMALL)
    assert student.pretrained_cfg["mean"] != teacher.pretrained_cfg["mean"]
    return student, sharpened(teacher)


def test_losses_agree_with_timm_for_20_steps(pair: tuple[nn.Module, nn.Module]) -> None:
    pairs = compare(*pair, Objective(steps=20))
    assert len(pairs) == 20
    assert max(abs(mine - theirs) for theirs, mine in pairs) < 1e-5
    # The student moved, and towards the objective: the agreement is not that of standing still.
    assert pairs[-1][0] < 0.9 * pairs[0][0]


def test_agreement_is_not_blind_to_the_temperature(pair: tuple[nn.Module, nn.Module]) -> None:
    student, teacher = pair
    first = compare(copy.deepcopy(student), teacher, Objective(steps=1))[0]
    other = compare(student, teacher, Objective(steps=1, temperature=4.5))[0]
    assert abs(first[0] - first[1]) < 1e-5
    assert abs(first[0] - other[1]) > 1e-3
