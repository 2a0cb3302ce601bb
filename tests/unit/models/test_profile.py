"""Counts against published and hand-made ones."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from medistill.imaging.preprocessing import Preprocessing
from medistill.models.build import build_model
from medistill.models.network import Network
from medistill.models.profile import count_parameters, multiply_adds, normalises_one
from medistill.models.spec import ModelSpec
from medistill.models.vit import VisionTransformer


def tiny() -> Network:
    backbone = VisionTransformer(
        image_size=8, patch_size=4, width=8, depth=1, heads=2, classes=3, channels=1
    )
    return Network(backbone, Preprocessing(size=8, mean=(0.5,), std=(0.5,)))


def test_parameters_count_frozen_ones_but_no_buffers() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).requires_grad_(False)
    assert count_parameters(module) == 3 * 2 + 2 + 2 * 2


def test_multiply_adds_of_a_tiny_vit_by_hand() -> None:
    # One block, of which only the class token reaches the head.
    tokens, width = 5, 8
    patches = 4 * 16 * width
    linear = width * width + tokens * 2 * width * width + width * (width + 4 * width + 4 * width)
    attention = 2 * tokens * width
    assert multiply_adds(tiny()) == patches + linear + attention + width * 3


def test_multiply_adds_of_deit_small_as_published() -> None:
    network = build_model(ModelSpec(name="vit_small", distilled=True), classes=4)
    # The published count has all 198 tokens in the last block; 196 of them reach no head.
    idle = 196 * (10 * 384**2 + 2 * 198 * 384)
    assert (multiply_adds(network) + idle) / 1e9 == pytest.approx(4.623, abs=0.0005)


def test_multiply_adds_of_another_size() -> None:
    network = build_model(ModelSpec(name="tf_efficientnet_lite0", channels=1), classes=2)
    assert multiply_adds(network, size=64) < multiply_adds(network, size=128)


@pytest.mark.parametrize(
    ("spec", "one"),
    [
        ({"name": "resnet18", "image_size": 32}, True),
        ({"name": "resnet18", "image_size": 64}, False),
        (
            {"name": "vit", "image_size": 8, "patch_size": 4, "width": 8, "depth": 1, "heads": 2},
            False,
        ),
        ({"name": "mobilevit_xxs", "image_size": 64, "shrinkage": "r4"}, True),
    ],
)
def test_which_networks_normalise_over_one_number(spec: dict[str, Any], one: bool) -> None:
    """ResNet18's last map of 32 pixels is one pixel; the gate of a shrinkage sees vectors."""
    network = build_model(ModelSpec(**spec), classes=2)
    assert normalises_one(network) == one
    images = torch.rand(1, *network.input_shape)
    with pytest.raises(ValueError, match="more than 1 value") if one else nullcontext():
        network.train()(images)
