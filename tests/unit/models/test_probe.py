"""A probe reads all stages of its body and answers through one linear layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.probe import StageProbe, probed


def test_means_of_a_convolutional_network_are_those_of_its_maps_fine_to_coarse() -> None:
    network = build_model(ModelSpec(name="resnet10t", image_size=64), classes=3).eval()
    probe = probed(network).backbone
    assert isinstance(probe, StageProbe)
    x = torch.randn(2, 3, 64, 64)
    names = [f"stage{i}" for i in range(5)]
    with torch.no_grad():
        maps = network.backbone(x, frozenset(names)).features
        means = probe.stage_means(x)
    expected = torch.cat([maps[name].flatten(2).mean(dim=2) for name in names], dim=1)
    torch.testing.assert_close(means, expected)


def test_tokens_of_a_transformer_are_averaged() -> None:
    spec = ModelSpec(name="vit", image_size=32, width=16, depth=3, heads=2)
    network = build_model(spec, classes=2).eval()
    probe = probed(network).backbone
    assert isinstance(probe, StageProbe)
    assert probe.stages == ("tokens.0", "tokens.1", "tokens.2")
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        tokens = network.backbone(x, frozenset({"tokens.1"})).features["tokens.1"]
        torch.testing.assert_close(probe.stage_means(x)[:, 16:32], tokens.mean(dim=1))


def test_pooled_is_standardised_and_logits_are_linear_in_it() -> None:
    spec = ModelSpec(name="vit", image_size=32, width=16, depth=2, heads=2)
    network = probed(build_model(spec, classes=2)).eval()
    probe = network.backbone
    assert isinstance(probe, StageProbe)
    probe.mean.fill_(2.0)
    probe.std.fill_(4.0)
    nn.init.normal_(probe.head.weight)
    x = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        outputs = network(x, frozenset({"pooled", "tokens.1"}))
        means = probe.stage_means(network.normalised(x))
    torch.testing.assert_close(outputs.features["pooled"], (means - 2) / 4)
    torch.testing.assert_close(outputs.logits, probe.head((means - 2) / 4))
    assert set(outputs.features) == {"pooled", "tokens.1"}


def test_an_unfitted_probe_is_undecided() -> None:
    spec = ModelSpec(name="vit", image_size=32, width=16, depth=2, heads=2)
    logits = probed(build_model(spec, classes=2))(torch.rand(2, 1, 32, 32)).logits
    assert torch.equal(logits, torch.zeros(2, 2))


class _Blind(nn.Module):
    channels, classes, feature_names = 1, 2, frozenset({"pooled"})

    def forward(self, x: torch.Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        return Outputs(x.mean(dim=(2, 3)).repeat(1, 2), {})


def test_a_model_without_stages_is_refused() -> None:
    preprocessing = build_model(
        ModelSpec(name="vit", image_size=32, width=16, depth=1, heads=2, channels=1), classes=2
    ).preprocessing
    with pytest.raises(RecipeError, match="no stages"):
        probed(Network(_Blind(), preprocessing))
