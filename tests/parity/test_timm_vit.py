"""Our ViT against timm's: same names, same outputs, same resized position embeddings."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer as TimmVit
from torch import Tensor

from medistill.models.build import build_model
from medistill.models.positions import resize_positions
from medistill.models.spec import ModelSpec
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer
from medistill.models.weights import fit_weights, load_weights, save_weights

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def pair(
    *,
    image: int,
    patch: int,
    width: int,
    depth: int,
    heads: int,
    distilled: bool,
    channels: int = 3,
) -> tuple[Any, VisionTransformer]:
    """timm's model with random weights of every kind, and ours with the same ones."""
    torch.manual_seed(0)
    theirs = (VisionTransformerDistilled if distilled else TimmVit)(
        img_size=image,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        num_classes=3,
        in_chans=channels,
    )
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    ours = VisionTransformer(
        image_size=image,
        patch_size=patch,
        width=width,
        depth=depth,
        heads=heads,
        classes=3,
        channels=channels,
        distilled=distilled,
    )
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs.eval(), ours.eval()


SHAPES = [
    {"image": 32, "patch": 8, "width": 48, "depth": 3, "heads": 3},
    {"image": 48, "patch": 16, "width": 64, "depth": 2, "heads": 1},
    {"image": 28, "patch": 14, "width": 40, "depth": 2, "heads": 5, "channels": 1},
]


@pytest.mark.parametrize("distilled", [False, True], ids=["plain", "distilled"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape['image']}/{shape['patch']}")
def test_outputs_and_tokens_agree(shape: dict[str, int], distilled: bool) -> None:
    theirs, ours = pair(**shape, distilled=distilled)
    images = torch.randn(2, shape.get("channels", 3), shape["image"], shape["image"])
    with torch.no_grad():
        outputs = ours(images, ours.feature_names)
        torch.testing.assert_close(outputs.logits, theirs(images), **TOLERANCE)
        features = theirs.forward_features(images)
        pooled = theirs.forward_head(features, pre_logits=True)
    torch.testing.assert_close(outputs.features["pooled"], pooled, **TOLERANCE)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224"])
def test_published_architecture_loads_strictly_and_agrees(name: str, tmp_path: Any) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=4).eval()
    save_weights(theirs, tmp_path / "weights.safetensors")
    spec = ModelSpec(name="vit_tiny", distilled="distilled" in name)
    network = build_model(spec, classes=4).eval()
    proof = load_weights(network, tmp_path / "weights.safetensors")
    assert proof.loaded == proof.total == len(theirs.state_dict())
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        expected = theirs((image - network.mean) / network.std)
        torch.testing.assert_close(network(image).logits, expected, **TOLERANCE)
    config = theirs.pretrained_cfg
    assert network.preprocessing.mean == tuple(config["mean"])
    assert network.preprocessing.std == tuple(config["std"])


@pytest.mark.parametrize("name", ["small", "base", "large"])
def test_larger_sizes_have_timms_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(f"vit_{name}_patch16_224", num_classes=2).state_dict()
        ours = build_model(ModelSpec(name=f"vit_{name}"), classes=2).backbone.state_dict()
    assert {key: value.shape for key, value in ours.items()} == {
        key: value.shape for key, value in theirs.items()
    }


def test_tokens_and_pooled_agree_with_the_bridge() -> None:
    bridge = TimmModel("deit_tiny_distilled_patch16_224", classes=2, image_size=32).eval()
    ours = build_model(ModelSpec(name="vit_tiny", distilled=True, image_size=32), classes=2)
    ours.backbone.load_state_dict(bridge.state_dict())
    images, want = torch.randn(1, 3, 32, 32), frozenset({"tokens.0", "tokens.11", "pooled"})
    with torch.no_grad():
        seen, expected = ours.eval().backbone(images, want), bridge(images, want)
    torch.testing.assert_close(seen.features, expected.features, **TOLERANCE)


def test_attention_agrees() -> None:
    theirs, ours = pair(**SHAPES[0], distilled=True)
    seen: list[Tensor] = []
    layer = theirs.blocks[1].attn
    layer.fused_attn = False  # the unfused path passes the attention through a dropout
    layer.attn_drop.register_forward_hook(lambda _, __, output: seen.append(output))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        theirs(images)
        found = ours(images, frozenset({"attention.1"})).features["attention.1"]
    torch.testing.assert_close(found, seen[0], **TOLERANCE)


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize(("old", "new"), [(14, 24), (14, 7), (7, 8), (3, 16)])
def test_resized_position_embeddings_agree(prefix: int, old: int, new: int) -> None:
    positions = torch.randn(1, prefix + old**2, 6, generator=torch.Generator().manual_seed(0))
    expected = resample_abs_pos_embed(positions, [new, new], num_prefix_tokens=prefix)
    ours = resize_positions(positions, side=new, prefix=prefix)
    torch.testing.assert_close(ours, expected, **TOLERANCE)


def test_weights_trained_at_another_size_agree() -> None:
    """timm resizes on the fly what we resize on loading."""
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=2, dynamic_img_size=True).eval()
    ours = build_model(ModelSpec(name="vit_tiny", image_size=96), classes=2).eval()
    fit_weights(ours, theirs.state_dict(), source="timm")
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours.backbone(images).logits, theirs(images), **TOLERANCE)


def test_drop_path_rates_agree() -> None:
    theirs = timm.create_model("vit_tiny_patch16_224", drop_path_rate=0.1)
    ours = build_model(ModelSpec(name="vit_tiny", drop_path=0.1), classes=2).backbone
    assert [block.drop_path.rate for block in ours.blocks] == pytest.approx(
        [getattr(block.drop_path1, "drop_prob", 0.0) for block in theirs.blocks]
    )
