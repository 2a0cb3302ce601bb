"""Segmentation networks: shapes, importance of tokens, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.build import build_model
from medistill.models.network import Network
from medistill.models.profile import count_parameters
from medistill.models.spec import ModelSpec
from medistill.models.weights import load_published

WANT = frozenset({"level0", "level3", "coarse", "pooled", "importance0", "importance3"})


def make(name: str = "pvt_v2_b0", **given: Any) -> Network:
    torch.manual_seed(0)
    values = {"image_size": 64, "decoder": "mlp", "decoder_width": 16, **given}
    return build_model(ModelSpec(name=name, **values), classes=3).eval()


@pytest.fixture(scope="module")
def network() -> Network:
    return make()


def test_every_pixel_gets_scores(network: Network) -> None:
    outputs = network(torch.rand(2, 1, 64, 64), WANT)
    assert outputs.logits.shape == (2, 3, 64, 64)
    shapes = {name: tuple(value.shape[1:]) for name, value in outputs.features.items()}
    assert shapes == {
        "level0": (32, 16, 16),
        "level3": (256, 2, 2),
        "coarse": (3, 16, 16),
        "pooled": (256,),
        "importance0": (1, 2, 2),  # keys are reduced by 8
        "importance3": (1, 2, 2),
    }


def test_joined_weights_are_the_published_head() -> None:
    """SegFormer's steps one by one: project, interpolate, join, fuse, classify."""
    network = make()
    head, levels = network.backbone, frozenset(f"level{level}" for level in range(4))
    found = network(torch.rand(2, 1, 64, 64), levels | {"coarse"}).features
    maps = [found[f"level{level}"].detach() for level in range(4)]
    grown = [
        torch.nn.functional.interpolate(project(each), size=(16, 16), mode="bilinear")
        for project, each in zip(head.project, maps, strict=True)
    ]
    expected = head.classify(head.fuse(torch.cat(grown[::-1], dim=1)))
    torch.testing.assert_close(found["coarse"], expected, rtol=1e-4, atol=1e-5)
    parts = [*head.project.parameters(), head.fuse[0].weight]
    slope = torch.rand_like(expected)
    ours, right = (torch.autograd.grad(each, parts, slope) for each in (found["coarse"], expected))
    for mine, theirs in zip(ours, right, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


def test_watching_changes_nothing(network: Network) -> None:
    image = torch.rand(1, 1, 64, 64)
    plain, watched = network(image, frozenset({"level2"})), network(image, WANT | {"level2"})
    torch.testing.assert_close(watched.logits, plain.logits)
    torch.testing.assert_close(watched.features["level2"], plain.features["level2"])


@pytest.mark.parametrize(
    ("name", "level"), [("pvt_v2_b0", 3), ("pvt_v2_b0", 1), ("pvt_v2_b2_li", 1)]
)
def test_importance_is_timms_own_attention(
    name: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm's softmax, caught on its way, averaged over heads and queries."""
    network = make(name)
    attention = network.backbone.encoder.model.stages[level].blocks[-1].attn
    attention.fused_attn = False
    caught: list[torch.Tensor] = []
    attention.attn_drop.register_forward_hook(lambda _, inputs, __: caught.append(inputs[0]))
    wanted = frozenset({f"importance{level}"})
    found = network(torch.rand(2, 1, 64, 64), wanted).features[f"importance{level}"]
    expected = caught[-1].mean(dim=(1, 2)).reshape(found.shape)
    torch.testing.assert_close(found.exp(), expected)
    torch.testing.assert_close(found.exp().sum(dim=(1, 2, 3)), torch.ones(2))


def test_a_convolutional_encoder_has_no_importance() -> None:
    network = make("resnet18")
    assert network(torch.rand(1, 1, 64, 64)).logits.shape == (1, 3, 64, 64)
    assert not any(name.startswith("importance") for name in network.feature_names)
    with pytest.raises(UnknownNameError, match="importance3"):
        network(torch.rand(1, 1, 64, 64), frozenset({"importance3"}))


def test_the_published_pair_has_its_published_size() -> None:
    """SegFormer's B0 and B2 have 3.7 and 27.4 M parameters; PVTv2's encoders are as large."""
    for name, width, millions in (("pvt_v2_b0", 256, 3.7), ("pvt_v2_b2", 768, 27.4)):
        network = make(name, decoder_width=width)
        assert count_parameters(network) / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"image_size": 100}, "100 is not divisible by 32, .* Nearest valid image_size: 96"),
        ({"name": "vit_tiny"}, "vit_tiny has one scale"),
        ({"name": "timm/vit_tiny_patch16_224"}, "has no four maps"),
        ({"decoder": "unet"}, "no value is called 'unet'"),
    ],
)
def test_what_cannot_segment_is_refused(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        make(**spec)


def test_published_weights_go_to_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    published = build_model(ModelSpec(name="pvt_v2_b0"), classes=1000).backbone.state_dict()
    monkeypatch.setattr("medistill.models.weights.published_weights", lambda _, **__: published)
    network = make()
    proof = load_published(network.backbone, "pvt_v2_b0")
    assert proof.loaded == proof.total == len(published) - 2
    assert any("head.weight" in note for note in proof.notes)
    own = network.backbone.encoder.state_dict()
    assert all(torch.equal(value, published[name]) for name, value in own.items())


def test_the_head_takes_mobilevits_last_map_as_wide_as_its_classifier_does() -> None:
    """320 channels, as in the bundles and runs that were made so."""
    network = make("mobilevit_xxs")
    assert network.backbone.project[-1].in_channels == 320
    assert network(torch.rand(1, 1, 64, 64)).logits.shape == (1, 3, 64, 64)
