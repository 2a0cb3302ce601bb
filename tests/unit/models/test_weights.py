"""Loading weights into models, with proof."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from medistill.core.errors import WeightsError
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.models.positions import resize_positions
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer
from medistill.models.weights import (
    fit_weights,
    load_published,
    load_weights,
    save_weights,
    state_hash,
)


def vit(
    *, size: int = 32, classes: int = 2, channels: int = 3, distilled: bool = False, seed: int = 0
) -> VisionTransformer:
    torch.manual_seed(seed)
    return VisionTransformer(
        image_size=size,
        patch_size=8,
        width=16,
        depth=1,
        heads=2,
        classes=classes,
        channels=channels,
        distilled=distilled,
    ).eval()


def test_proof_says_what_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(vit(seed=1), path)
    model = vit()
    proof = load_weights(model, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(proof) == f"20 of 20 tensors, sha256 {digest}"
    assert proof.source == "weights.safetensors"
    assert state_hash(model) == state_hash(vit(seed=1))


def test_a_wrapped_moving_average_reaches_the_model_and_the_proof(tmp_path: Path) -> None:
    average = {f"module.{name}": value for name, value in vit(seed=1).state_dict().items()}
    content = {"model": vit(seed=2).state_dict(), "model_ema": {**average, "n": torch.ones(1)}}
    torch.save(content, tmp_path / "best.pth")
    model = vit()
    proof = load_weights(model, tmp_path / "best.pth")
    assert state_hash(model) == state_hash(vit(seed=1))
    assert "; read from 'model_ema', not from 'model'; " in str(proof)
    assert str(proof).endswith("1 tensors outside 'module.' left out (n)")


def test_a_masked_autoencoders_encoder_starts_a_model(tmp_path: Path) -> None:
    state = {k: v for k, v in vit(seed=1).state_dict().items() if not k.startswith("head.")}
    further = {"mask_token": torch.zeros(1, 1, 8), "decoder_pred.weight": torch.zeros(2, 8)}
    torch.save({"model": {**state, **further}}, tmp_path / "mae.pth")
    model = vit()
    proof = load_weights(model, tmp_path / "mae.pth", ignore_head=True)
    assert (proof.loaded, proof.total) == (18, 20)
    assert torch.equal(model.norm.weight, vit(seed=1).norm.weight)
    assert "2 tensors of its pretraining left out (mask_token, decoder_pred.weight)" in str(proof)


def test_a_network_gets_its_backbones_weights(tmp_path: Path) -> None:
    save_weights(vit(seed=1), tmp_path / "w.safetensors")
    network = Network(vit(), Preprocessing(size=32))
    load_weights(network, tmp_path / "w.safetensors")
    assert state_hash(network.backbone) == state_hash(vit(seed=1))


def test_position_embeddings_are_resized_to_the_model() -> None:
    small, large = vit(), vit(size=64)
    proof = fit_weights(large, small.state_dict(), source="test")
    expected = resize_positions(small.pos_embed, side=8, prefix=1)
    torch.testing.assert_close(large.pos_embed, expected)
    assert "position embeddings resized from 4x4 to 8x8" in str(proof)


def test_position_embeddings_of_a_timm_vit_are_resized_too() -> None:
    small = TimmModel("vit_tiny_patch16_224", classes=2, image_size=32)
    large = TimmModel("vit_tiny_patch16_224", classes=2, image_size=64)
    fit_weights(large, small.state_dict(), source="test")
    expected = resize_positions(small.model.pos_embed, side=4, prefix=1)
    torch.testing.assert_close(large.model.pos_embed, expected)


def test_three_channel_filters_are_summed_for_one_channel() -> None:
    colour, gray = vit(), vit(channels=1)
    proof = fit_weights(gray, colour.state_dict(), source="test")
    image = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(gray(image).logits, colour(image.expand(-1, 3, -1, -1)).logits)
    assert "patch_embed.proj.weight summed over its three channels" in str(proof)


def test_depthwise_filters_are_left_alone() -> None:
    colour = TimmModel("tf_efficientnet_lite0", classes=2)
    gray = TimmModel("tf_efficientnet_lite0", classes=2, channels=1)
    proof = fit_weights(gray, colour.state_dict(), source="test")
    assert proof.notes == ("conv_stem.weight summed over its three channels",)
    assert proof.loaded == proof.total


@pytest.mark.parametrize("distilled", [False, True])
def test_head_of_other_classes_is_left_out_only_when_asked(distilled: bool) -> None:
    state, model = vit(classes=5, distilled=distilled).state_dict(), vit(distilled=distilled)
    before = model.head.weight.clone()
    with pytest.raises(WeightsError, match=r"head.weight \(5, 16\) instead of \(2, 16\)"):
        fit_weights(model, state, source="test")
    proof = fit_weights(model, state, source="test", ignore_head=True)
    assert torch.equal(model.head.weight, before)
    assert proof.loaded == proof.total - (4 if distilled else 2)
    assert "classifier left as initialised: head.bias, head" in str(proof)


def test_head_of_the_same_classes_is_loaded_even_so() -> None:
    state, model = vit(seed=1).state_dict(), vit()
    assert fit_weights(model, state, source="test", ignore_head=True).notes == ()
    assert torch.equal(model.head.weight, state["head.weight"])


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "densenet121"])
def test_head_of_a_timm_model_is_known(name: str) -> None:
    state = TimmModel(name, classes=5).state_dict()
    proof = fit_weights(TimmModel(name, classes=2), state, source="test", ignore_head=True)
    assert proof.loaded == proof.total - 2
    feature = TimmModel(name, classes=0)
    proof = fit_weights(feature, state, source="test", ignore_head=True)
    assert proof.loaded == proof.total


def test_misfits_are_named_by_kind_the_first_five_of_each() -> None:
    model = vit()
    before = state_hash(model)
    state = {f"x{index}": torch.zeros(1) for index in range(7)}
    state |= {"norm.bias": torch.zeros(3), "norm.weight": torch.ones(16)}
    with pytest.raises(WeightsError) as caught:
        fit_weights(model, state, source="foreign.pth")
    text = str(caught.value)
    assert "18 missing (cls_token, pos_embed, patch_embed.proj.weight" in text
    assert "and 13 more" in text
    assert "7 unexpected (x0, x1, x2, x3, x4 and 2 more)" in text
    assert "1 of another shape (norm.bias (3,) instead of (16,))" in text
    assert state_hash(model) == before


def test_a_proof_says_whether_the_whole_model_was_loaded() -> None:
    state = vit(classes=5).state_dict()
    assert fit_weights(vit(classes=5), state, source="test", ignore_head=True).whole
    assert not fit_weights(vit(), state, source="test", ignore_head=True).whole
    feature = vit(classes=0)  # has no classifier to lack
    assert fit_weights(feature, state, source="test", ignore_head=True).whole


def test_values_that_are_not_finite_are_refused() -> None:
    state = vit().state_dict()
    state["norm.bias"] = torch.full((16,), float("nan"))
    with pytest.raises(WeightsError, match=r"1 tensors hold values that are not finite \(norm.b"):
        fit_weights(vit(), state, source="test")


def test_packaged_weights_reach_a_model_of_two_classes() -> None:
    proof = load_published(TimmModel("tf_efficientnet_lite0", classes=2), "tf_efficientnet_lite0")
    assert str(proof).startswith("294 of 296 tensors, sha256 ")
    assert proof.notes == ("classifier left as initialised: classifier.bias, classifier.weight",)


@pytest.mark.parametrize(
    ("distilled", "expected"),
    [(False, "vit_tiny_patch8_224"), (True, "deit_tiny_distilled_patch8_224")],
)
def test_our_named_sizes_ask_for_timms_weights(
    monkeypatch: pytest.MonkeyPatch, distilled: bool, expected: str
) -> None:
    asked, model = [], vit(distilled=distilled)

    def answer(name: str, **_: object) -> dict[str, torch.Tensor]:
        asked.append(name)
        return vit(distilled=distilled, seed=1).state_dict()

    monkeypatch.setattr("medistill.models.weights.published_weights", answer)
    load_published(model, "vit_tiny")
    assert asked == [expected]


def test_sizes_of_ones_own_have_no_published_weights() -> None:
    with pytest.raises(WeightsError, match="no weights are published for a ViT of one's own"):
        load_published(vit(), "vit")


def test_hash_sees_parameters_buffers_and_names() -> None:
    def module() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))

    start, hashes = state_hash(module()), set()
    for change in ("0.bias", "1.running_mean", "1.num_batches_tracked"):
        changed = module()
        changed.state_dict()[change].add_(1)
        hashes.add(state_hash(changed))
    renamed = nn.ModuleDict({"a": module()[0], "b": module()[1]})  # type: ignore[index]
    assert state_hash(module()) == start
    assert len(hashes | {start, state_hash(renamed)}) == 5


def test_hash_sees_the_normalisation() -> None:
    backbone = vit()
    one = Network(backbone, Preprocessing(size=32))
    other = Network(backbone, Preprocessing(size=32, mean=(0.5,), std=(0.5,)))
    assert state_hash(one) != state_hash(other)


@pytest.mark.parametrize("name", ["pit_ti_224", "volo_d1_224"])
def test_positions_kept_as_a_map_are_loaded_as_they_are(name: str) -> None:
    backbone = TimmModel(name, classes=2)
    state = {key: value.clone() for key, value in backbone.state_dict().items()}
    state["pos_embed"] = state["pos_embed"] + 1
    fit_weights(backbone, state, source="test")
    assert torch.equal(backbone.state_dict()["pos_embed"], state["pos_embed"])
