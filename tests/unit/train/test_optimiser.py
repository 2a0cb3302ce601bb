"""What is decayed, the learning rate of each step, and the norm of the gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medistill.models.vit import VisionTransformer
from medistill.train.optimiser import (
    clip_gradients,
    learning_rate,
    make_optimiser,
    parameter_groups,
    set_learning_rate,
)
from tests.unit.train.small import make_settings


def test_only_matrices_and_kernels_decay() -> None:
    vit = VisionTransformer(
        image_size=16, patch_size=8, width=8, depth=1, heads=1, classes=2, distilled=True
    )
    decayed, plain = parameter_groups(vit, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in vit.named_parameters()}
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    assert {names[id(parameter)] for parameter in decayed["params"]} == {
        "patch_embed.proj.weight",
        "blocks.0.attn.qkv.weight",
        "blocks.0.attn.proj.weight",
        "blocks.0.mlp.fc1.weight",
        "blocks.0.mlp.fc2.weight",
        "head.weight",
        "head_dist.weight",
    }
    assert len(decayed["params"]) + len(plain["params"]) == len(names)


def test_frozen_parameters_are_left_alone() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.requires_grad_(False)
    optimiser = make_optimiser(layer, make_settings(), torch.device("cpu"))
    assert [group["params"] for group in optimiser.param_groups] == [[layer.bias]]
    assert optimiser.defaults["fused"]


def test_learning_rate_by_hand() -> None:
    settings = make_settings(epochs=5, lr=1.0, min_lr=0.2, warmup_epochs=1)
    rates = [learning_rate(step, settings, steps_per_epoch=4) for step in range(20)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[12] == pytest.approx(0.6)  # half way down
    assert rates[8] == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert 0.2 < rates[19] < rates[18]


def test_cosine_agrees_with_torch() -> None:
    settings = make_settings(epochs=3, lr=0.5, min_lr=0.1, warmup_epochs=0)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=12, eta_min=0.1)
    for step in range(12):
        rate = learning_rate(step, settings, steps_per_epoch=4)
        assert rate == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        schedule.step()


def test_all_groups_get_the_rate() -> None:
    optimiser = make_optimiser(nn.Linear(2, 2), make_settings(), torch.device("cpu"))
    set_learning_rate(optimiser, 0.125)
    assert [group["lr"] for group in optimiser.param_groups] == [0.125, 0.125]


@pytest.mark.parametrize(("bound", "after"), [(1.0, [0.6, 0.8]), (10.0, [3, 4]), (None, [3, 4])])
def test_gradient_is_clipped_to_its_bound(bound: float | None, after: list[float]) -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip_gradients(layer, bound).item() == pytest.approx(5.0)
    assert layer.weight.grad.flatten().tolist() == pytest.approx(after, rel=1e-5)
