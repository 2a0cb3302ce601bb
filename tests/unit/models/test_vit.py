"""Shapes, features, parameter counts and refusals of our Vision Transformer."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.blocks import Attention
from medistill.models.profile import count_parameters
from medistill.models.vit import VIT_SIZES, VisionTransformer, check_vit_shape
from medistill.models.weights import load_published


def small(**given: object) -> VisionTransformer:
    torch.manual_seed(0)
    sizes = {"image_size": 32, "patch_size": 8, "width": 24, "depth": 2, "heads": 3, "classes": 2}
    return VisionTransformer(**{**sizes, **given})  # type: ignore[arg-type]


def published(name: str, *, classes: int, distilled: bool = False) -> int:
    """Parameters of a named size at 224 pixels and patches of 16, without any memory for them."""
    with torch.device("meta"):
        model = VisionTransformer(
            image_size=224,
            patch_size=16,
            classes=classes,
            distilled=distilled,
            **VIT_SIZES[name]._asdict(),
        )
    return count_parameters(model)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("vit_tiny", 5.5), ("vit_small", 21.7), ("vit_base", 85.8), ("vit_large", 303.3)],
)
def test_named_sizes_have_the_published_number_of_parameters(name: str, millions: float) -> None:
    assert published(name, classes=2) / 1e6 == pytest.approx(millions, abs=0.05)


def test_distilled_sizes_have_the_parameters_worked_out_by_hand() -> None:
    assert published("vit_small", classes=4, distilled=True) == 21_669_512
    assert published("vit_tiny", classes=4, distilled=True) == 5_526_344


@pytest.mark.parametrize("distilled", [False, True])
def test_every_feature_has_its_shape(distilled: bool) -> None:
    model = small(distilled=distilled).eval()
    outputs = model(torch.rand(3, 3, 32, 32), model.feature_names)
    tokens = 16 + (2 if distilled else 1)
    assert outputs.logits.shape == (3, 2)
    assert set(outputs.features) == model.feature_names
    for index in range(2):
        assert outputs.features[f"tokens.{index}"].shape == (3, tokens, 24)
        assert outputs.features[f"attention.{index}"].shape == (3, 3, tokens, tokens)
    assert outputs.features["pooled"].shape == (3, 24)


def test_only_what_is_wanted_is_returned() -> None:
    model = small()
    images = torch.rand(1, 3, 32, 32)
    assert model(images).features == {}
    assert set(model(images, frozenset({"tokens.1"})).features) == {"tokens.1"}


def test_attention_rows_sum_to_one_and_give_the_mixed_values() -> None:
    layer = small().blocks[0].attn
    x = torch.randn(2, 17, 24)
    mixed, attention = layer(x, True)
    values = layer.qkv(x)[..., 48:].reshape(2, 17, 3, 8).transpose(1, 2)
    by_hand = layer.proj((attention @ values).transpose(1, 2).reshape(2, 17, 24))
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3, 17))
    torch.testing.assert_close(mixed, by_hand)


def test_distilled_logits_are_the_mean_of_both_heads_in_training_too() -> None:
    model = small(distilled=True).train()
    outputs = model(torch.rand(2, 3, 32, 32), frozenset({"head", "head_dist"}))
    mean = (outputs.features["head"] + outputs.features["head_dist"]) / 2
    torch.testing.assert_close(outputs.logits, mean)
    assert not torch.equal(outputs.features["head"], outputs.features["head_dist"])


def test_head_applied_to_pooled_gives_the_logits() -> None:
    model = small()
    outputs = model(torch.rand(2, 3, 32, 32), frozenset({"pooled"}))
    torch.testing.assert_close(model.head(outputs.features["pooled"]), outputs.logits)


def test_without_classes_the_logits_are_the_pooled_embedding() -> None:
    outputs = small(classes=0, distilled=True)(torch.rand(2, 3, 32, 32), frozenset({"pooled"}))
    torch.testing.assert_close(outputs.logits, outputs.features["pooled"])


def test_every_parameter_is_learned() -> None:
    model = small(distilled=True)
    model(torch.rand(2, 3, 32, 32)).logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_drop_path_grows_with_depth() -> None:
    model = small(depth=3, drop_path=0.2)
    assert [block.drop_path.rate for block in model.blocks] == pytest.approx([0.0, 0.1, 0.2])


def test_compiled_graph_has_no_breaks() -> None:
    model = small(distilled=True).eval()
    images, want = torch.rand(2, 3, 32, 32), frozenset({"attention.1", "tokens.0"})
    compiled = torch.compile(model, backend="eager", fullgraph=True)(images, want)
    eager = model(images, want)
    torch.testing.assert_close(compiled.logits, eager.logits)
    torch.testing.assert_close(compiled.features, eager.features)


def test_exported_graph_takes_any_batch() -> None:
    model = small().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    graph = torch.export.export(model, (torch.rand(2, 3, 32, 32),), dynamic_shapes=({0: batch},))
    images = torch.rand(5, 3, 32, 32)
    torch.testing.assert_close(graph.module()(images).logits, model(images).logits)


def test_image_size_that_patches_do_not_divide_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"image_size: 225 is not divisible.*Nearest.*224\."):
        small(image_size=225, patch_size=16)


def test_width_that_heads_do_not_divide_is_refused_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"width: 100 is not divisible by heads 3.*Nearest.*99\."):
        small(width=100)


@pytest.mark.parametrize("key", ["image_size", "patch_size", "width", "depth", "heads"])
def test_sizes_below_one_are_refused(key: str) -> None:
    sizes = {"image_size": 32, "patch_size": 8, "width": 24, "depth": 2, "heads": 3}
    with pytest.raises(RecipeError, match=f"student.{key}: 0 is impossible"):
        check_vit_shape(**{**sizes, key: 0}, where="student")


def test_image_smaller_than_a_patch_is_offered_one_patch() -> None:
    with pytest.raises(RecipeError, match=r"Nearest valid image_size: 16\."):
        small(image_size=3, patch_size=16)


def test_unknown_feature_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no feature is called 'token.0'.*'tokens.0'"):
        small()(torch.rand(1, 3, 32, 32), frozenset({"token.0"}))


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"images of \(40, 40\) for a ViT of 32"):
        small()(torch.rand(1, 3, 40, 40))


DRPL = [
    ("vit_small", None, None, 21_669_512),
    ("vit_small", "k", None, 21_707_912),
    ("vit_small", "k", "leff", 21_975_176),
    ("vit_tiny", None, None, 5_526_344),
    ("vit_tiny", "k", None, 5_564_744),
    ("vit_tiny", "k", "leff", 5_698_376),
]


@pytest.mark.parametrize(("name", "relative", "local", "parameters"), DRPL)
def test_drpl_vits_have_the_parameters_worked_out_by_hand(
    name: str, relative: str | None, local: str | None, parameters: int
) -> None:
    with torch.device("meta"):
        model = VisionTransformer(
            image_size=224,
            patch_size=16,
            classes=4,
            distilled=True,
            relative=relative,
            local=local,
            **VIT_SIZES[name]._asdict(),
        )
    assert count_parameters(model) == parameters


@pytest.mark.parametrize("mode", ["k", "q", "qk", "qkv", "bias"])
def test_relative_positions_change_nothing_until_they_learn(mode: str) -> None:
    plain, image = small(), torch.rand(2, 3, 32, 32)
    relative = small(relative=mode)
    relative.load_state_dict({**relative.state_dict(), **plain.state_dict()})
    want = frozenset({"attention.1"})
    torch.testing.assert_close(relative.eval()(image, want), plain.eval()(image, want))
    for table in relative.blocks[0].attn.relative.parameters():
        torch.nn.init.normal_(table)
    assert not torch.allclose(relative(image).logits, plain(image).logits)
    torch.testing.assert_close(
        relative(image, want).features["attention.1"].sum(-1), torch.ones(2, 3, 17)
    )


@pytest.mark.parametrize("local", ["leff", "localvit", "localvit-se", "localvit-eca"])
def test_local_parts_learn(local: str) -> None:
    model = small(local=local, distilled=True)
    model(torch.rand(2, 3, 32, 32)).logits.sum().backward()
    assert all(p.grad is not None for p in model.blocks[0].parameters())


def test_published_weights_load_beside_what_nobody_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, more = small(), small(relative="qkv", local="leff")
    published = plain.state_dict()
    monkeypatch.setattr("medistill.models.weights.published_weights", lambda _, **__: published)
    monkeypatch.setattr("medistill.models.weights._published_name", lambda *_: "ours")
    proof = load_published(more, "vit_tiny")
    assert proof.loaded == len([name for name in published if ".mlp." not in name])
    assert torch.equal(more.blocks[0].attn.qkv.weight, plain.blocks[0].attn.qkv.weight)


@pytest.mark.parametrize("distilled", [False, True])
def test_tokens_that_nothing_reads_change_nothing(distilled: bool) -> None:
    model = VisionTransformer(
        image_size=32, patch_size=8, width=24, depth=3, heads=3, classes=2, distilled=distilled
    )
    images, found = torch.rand(2, 3, 32, 32), []
    for want in (frozenset[str](), frozenset({"tokens.2"})):
        model.zero_grad()
        logits = model(images, want).logits
        logits.square().sum().backward()
        found.append([logits.detach(), *(p.grad.clone() for p in model.parameters())])
    for short, whole in zip(*found, strict=True):
        torch.testing.assert_close(short, whole, rtol=1e-5, atol=1e-6)


def test_training_in_bfloat16_agrees_with_float32() -> None:
    attention = Attention(width=32, heads=2)
    x = torch.randn(2, 9, 32)
    whole, _ = attention(x)
    with torch.autocast("cpu", torch.bfloat16):
        half, _ = attention(x)
    torch.testing.assert_close(half.float(), whole, rtol=0.05, atol=0.02)
