"""From a model block to a network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Channels
from medistill.models.build import build_model
from medistill.models.spec import ModelSpec
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer

HALF = (0.5, 0.5, 0.5)
SMALL = {"name": "vit", "width": 16, "depth": 1, "heads": 2, "image_size": 32, "patch_size": 8}


def test_named_size_with_one_value_replaced() -> None:
    network = build_model(ModelSpec(name="vit_tiny", depth=2, image_size=64), classes=3)
    backbone = network.backbone
    assert isinstance(backbone, VisionTransformer)
    assert (backbone.width, len(backbone.blocks), backbone.patch_size) == (192, 2, 16)
    assert network(torch.rand(2, 1, 64, 64)).logits.shape == (2, 3)


def test_own_size_has_a_head_for_every_64_numbers() -> None:
    backbone = build_model(ModelSpec(name="vit", width=128), classes=2).backbone
    assert isinstance(backbone, VisionTransformer)
    assert (backbone.blocks[0].attn.heads, len(backbone.blocks)) == (2, 12)
    narrow = build_model(ModelSpec(name="vit", width=48, depth=1), classes=2).backbone
    assert isinstance(narrow, VisionTransformer)
    assert narrow.blocks[0].attn.heads == 1


@pytest.mark.parametrize("name", ["resnet18", "timm/resnet18", "vit_tiny_patch16_224"])
def test_other_names_are_timms(name: str) -> None:
    backbone = build_model(ModelSpec(name=name), classes=2).backbone
    assert isinstance(backbone, TimmModel)
    assert backbone.name == name.removeprefix("timm/")


@pytest.mark.parametrize(
    ("given", "mean", "std"),
    [
        ({"name": "vit_tiny"}, HALF, HALF),
        ({"name": "vit_tiny", "distilled": True}, IMAGENET_MEAN, IMAGENET_STD),
        ({"name": "resnet18"}, IMAGENET_MEAN, IMAGENET_STD),
        ({"name": "tf_efficientnet_lite0"}, HALF, HALF),
        ({"normalisation": "imagenet"}, IMAGENET_MEAN, IMAGENET_STD),
        ({"normalisation": "half", "channels": 1}, (0.5,), (0.5,)),
        ({"normalisation": ((0.2,), (0.4,))}, (0.2, 0.2, 0.2), (0.4, 0.4, 0.4)),
    ],
)
def test_normalisation(
    given: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    spec = ModelSpec(**{"depth": 1, **given} if "name" not in given else given)
    seen = build_model(spec, classes=2).preprocessing
    assert (seen.mean, seen.std) == (mean, std)


def test_imagenet_for_one_channel_is_the_mean_of_three() -> None:
    spec = ModelSpec(**SMALL, channels=1, normalisation="imagenet")
    network = build_model(spec, classes=2)
    assert network.preprocessing.mean == pytest.approx([(0.485 + 0.456 + 0.406) / 3])
    assert network(torch.rand(1, 1, 32, 32)).logits.shape == (1, 2)


def test_preprocessing_says_what_the_store_holds() -> None:
    spec = ModelSpec(**SMALL)
    seen = build_model(spec, classes=2, channels="rgb", fit="pad", stored_size=256).preprocessing
    assert (seen.channels, seen.fit, seen.stored_size, seen.size) == ("rgb", "pad", 256, 32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "vit_tinny"}, "student.name: neither medistill nor timm .*'vit_tinny'"),
        ({"name": "vit"}, "student.width: vit has no width of its own"),
        ({"image_size": 225}, r"student.image_size: 225 is not.*Nearest valid image_size: 224\."),
        ({"width": 100}, r"student.width: 100 is not divisible by heads 3"),
        ({"patch_size": 0}, "student.patch_size: 0 is impossible"),
        ({"name": "resnet18", "width": 64}, "student.width: resnet18 is timm's"),
        ({"name": "resnet18", "distilled": True}, "student.distilled: resnet18 is timm's"),
        ({"channels": 2}, "student.channels: 2 channels"),
        ({"drop_path": 1.0}, "student.drop_path: 1.0 is not a rate"),
        ({"normalisation": "imagnet"}, "student.normalisation: no 'imagnet'"),
        ({"normalisation": ((0.5, 0.5), (0.5, 0.5))}, "2 mean and 2 std values"),
        (
            {"name": "vit_tiny_patch16_224", "image_size": 100},
            r"student.image_size: 100 is not divisible by the patch size 16.*: 96\.",
        ),
        ({"name": "swin_tiny_patch4_window7_224", "image_size": 2}, "student.image_size: 2 is"),
        ({"name": "densenet121", "image_size": 8}, "student.image_size: .* of 8 pixels"),
    ],
)
def test_impossible_blocks_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_model(ModelSpec(**given), classes=2, where="student")


def test_overlapping_patches_need_no_division() -> None:
    """PVTv2 begins with patches of 7 x 7 at every fourth pixel."""
    network = build_model(ModelSpec(name="pvt_v2_b0", image_size=64), classes=2)
    assert network(torch.rand(1, 3, 64, 64)).logits.shape == (1, 2)


@pytest.mark.parametrize("channels", ["rgb"])
def test_colour_images_for_a_gray_model_are_refused(channels: Channels) -> None:
    with pytest.raises(RecipeError, match="the images are rgb and the model takes one channel"):
        build_model(ModelSpec(**SMALL, channels=1), classes=2, channels=channels)


def test_training_may_normalise_otherwise_than_predicting() -> None:
    values = ((0.56,), (0.22,))
    given = ModelSpec(
        name="vit",
        image_size=16,
        patch_size=8,
        width=8,
        depth=1,
        heads=1,
        channels=1,
        normalisation=values,
        train_normalisation="half",
    )
    network, seen = build_model(given, classes=2), []
    network.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(1, 1, 16, 16)
    network.eval()(images)
    network.train()(images)
    torch.testing.assert_close(seen[0], (images - 0.56) / 0.22)
    torch.testing.assert_close(seen[1], (images - 0.5) / 0.5)
