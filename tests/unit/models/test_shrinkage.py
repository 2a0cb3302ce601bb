"""Residual shrinkage, and RMS-Net's exact size."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.models.build import build_model
from medistill.models.profile import count_parameters, multiply_adds
from medistill.models.shrinkage import GATES, Shrinkage, soft_threshold
from medistill.models.spec import ModelSpec
from medistill.models.weights import load_published

XXS = "mobilevit_xxs"


def test_threshold_by_hand() -> None:
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0])
    assert soft_threshold(x, torch.tensor(1.0)).tolist() == [-2.0, 0.0, 0.0, 0.0, 2.0]


@pytest.mark.parametrize("gate", GATES)
def test_weak_values_are_emptied_and_no_channel_is(gate: str) -> None:
    torch.manual_seed(0)
    part, x = Shrinkage(8, gate=gate).eval(), torch.randn(4, 8, 6, 6)
    out = part(x)
    assert (out == 0).float().mean() > 0.1
    assert (out.abs().amax(dim=(2, 3)) > 0).all()
    assert (out.abs() <= x.abs()).all()
    assert (out * x >= 0).all()


@pytest.mark.parametrize(
    ("channels", "cost"), [(16, 156), (24, 330), (48, 1236), (64, 2160), (80, 3340)]
)
def test_the_gates_cost_worked_out_by_hand(channels: int, cost: int) -> None:
    assert count_parameters(Shrinkage(channels, gate="r4")) == cost
    assert count_parameters(Shrinkage(channels, gate="eca")) == 3


@pytest.mark.parametrize(
    ("shrinkage", "parameters"), [(None, 955_518), ("r4", 962_254), ("eca", 955_527)]
)
def test_rms_net_has_the_parameters_worked_out_by_hand(
    shrinkage: str | None, parameters: int
) -> None:
    network = build_model(ModelSpec(name=XXS, image_size=224, shrinkage=shrinkage), classes=14)
    assert count_parameters(network) == parameters
    assert round(parameters / 1e6, 2) == 0.96


def test_multiply_adds_are_the_published_ones() -> None:
    """0.255 G without the attention products, 0.301 G with them; the paper says 0.27 G."""
    network = build_model(ModelSpec(name=XXS, image_size=224, shrinkage="r4"), classes=14)
    assert multiply_adds(network) / 1e9 == pytest.approx(0.301, abs=0.001)


def test_published_names_keep_their_place() -> None:
    plain, shrunk = (
        build_model(ModelSpec(name=XXS, shrinkage=gate), classes=14).backbone.state_dict()
        for gate in (None, "r4")
    )
    assert plain.keys() <= shrunk.keys()
    assert all(".shrink." in name for name in shrunk.keys() - plain.keys())


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny"])
def test_a_network_without_mobilevit_blocks_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="no MobileViT block"):
        build_model(ModelSpec(name=name, shrinkage="r4"), classes=2)
    with pytest.raises(RecipeError, match="no value is called 'r5'"):
        build_model(ModelSpec(name=XXS, shrinkage="r5"), classes=2)


def test_published_weights_load_and_shrinkage_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    published = build_model(ModelSpec(name=XXS), classes=1000).backbone.state_dict()
    monkeypatch.setattr("medistill.models.weights.published_weights", lambda _, **__: published)
    network = build_model(ModelSpec(name=XXS, shrinkage="r4"), classes=14)
    proof = load_published(network.backbone, XXS)
    assert proof.loaded == len(published) - 2  # all but the classifier
    state = network.backbone.state_dict()
    assert all(torch.equal(state[k], v) for k, v in published.items() if "head.fc" not in k)
