"""Any timm model behind our contract."""

from __future__ import annotations

import copy

import pytest
import timm
import torch

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.timm_bridge import TimmModel, check_timm_name, timm_defaults

FAMILIES = {
    "tf_efficientnet_lite0": 64,
    "resnet18": 64,
    "mobilevit_xxs": 64,
    "pvt_v2_b0": 64,
    "vit_tiny_patch16_224": 64,
    "deit_tiny_distilled_patch16_224": 64,
}


@pytest.mark.parametrize(("name", "size"), FAMILIES.items())
def test_wanted_features_change_no_logits_and_equal_timms(name: str, size: int) -> None:
    torch.manual_seed(0)
    model = TimmModel(name, classes=3, image_size=size).eval()
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        outputs, alone = model(images, model.feature_names), model.model(images)
    torch.testing.assert_close(outputs.logits, alone)
    assert set(outputs.features) == model.feature_names
    stages = [name for name in model.feature_names if name.startswith("stage")]
    assert len(stages) == len(model.model.feature_info)
    for index, width in enumerate(model.widths):
        stage = outputs.features[f"stage{index}"]
        assert stage.shape[:2] == (2, width)
        assert stage.dim() == 4
    classifier = model.model.get_classifier()
    if isinstance(classifier, torch.nn.Linear):
        torch.testing.assert_close(classifier(outputs.features["pooled"]), outputs.logits)


def test_only_what_is_wanted_is_returned() -> None:
    model = TimmModel("resnet18", classes=2).eval()
    assert model(torch.rand(1, 3, 32, 32)).features == {}
    assert set(model(torch.rand(1, 3, 32, 32), frozenset({"stage2"})).features) == {"stage2"}


def test_state_dict_has_timms_names_both_ways() -> None:
    ours, theirs = TimmModel("resnet18", classes=3), timm.create_model("resnet18", num_classes=3)
    theirs.load_state_dict(ours.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(value, ours.state_dict()[key])
    torch.nn.init.normal_(theirs.fc.weight)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours.model.fc.weight, theirs.fc.weight)


def test_state_dict_names_hold_inside_a_larger_module() -> None:
    holder = torch.nn.ModuleDict({"net": TimmModel("resnet18", classes=3)})
    state = holder.state_dict()
    assert "net.conv1.weight" in state
    holder.load_state_dict({key: torch.zeros_like(value) for key, value in state.items()})
    assert not holder["net"].model.fc.weight.any()


def test_a_copy_stands_on_its_own() -> None:
    first = TimmModel("resnet10t", classes=2)
    second = copy.deepcopy(first)
    torch.nn.init.zeros_(second.model.fc.weight)
    assert first.model.fc.weight.any()
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.model.fc.weight, first.model.fc.weight)


def test_no_weights_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("timm.models._builder.load_pretrained", refuse)
    TimmModel("resnet18.a1_in1k", classes=3)


def test_feature_extractor_and_one_channel() -> None:
    model = TimmModel("resnet18", classes=0, channels=1).eval()
    outputs = model(torch.rand(1, 1, 32, 32), frozenset({"pooled"}))
    assert outputs.logits.shape == (1, 512)
    torch.testing.assert_close(outputs.logits, outputs.features["pooled"])


def test_drop_path_reaches_timm_and_is_refused_where_there_is_none() -> None:
    model = TimmModel("vit_tiny_patch16_224", classes=2, drop_path=0.3)
    assert model.model.blocks[-1].drop_path1.drop_prob == pytest.approx(0.3)
    with pytest.raises(RecipeError, match=r"densenet121: timm cannot build it with .*drop_path"):
        TimmModel("densenet121", classes=2, drop_path=0.3)


def test_what_published_weights_expect() -> None:
    lite = timm_defaults("tf_efficientnet_lite0")
    assert lite == (224, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), True)
    assert timm_defaults("resnet18").mean == (0.485, 0.456, 0.406)
    assert timm_defaults("mobilevit_xxs").image_size == 256


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tf_efficientnet_lite_0", "tf_efficientnet_lite0"),
        ("vit_tinny_patch16_224", "vit_tiny_patch16_224"),
        ("vit_tiny_patch16_224.augreg_in22k", "vit_tiny_patch16_224.augreg_in21k"),
    ],
)
def test_unknown_name_suggests_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match=rf"teacher.model.name: .*'{name}'.*Did you.* {nearest}"):
        check_timm_name(name, where="teacher.model.name")


@pytest.mark.parametrize("name", ["hf-hub:someone/model", "local-dir:/tmp/x", "", "../x"])
def test_names_that_would_fetch_or_read_code_are_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="neither medistill nor timm has a model called"):
        TimmModel(name, classes=2)


def test_unknown_feature_is_refused() -> None:
    model = TimmModel("resnet18", classes=2)
    with pytest.raises(UnknownNameError, match=r"timm/resnet18: no feature.*'stage9'.*'stage"):
        model(torch.rand(1, 3, 32, 32), frozenset({"stage9"}))


def test_the_last_stage_of_mobilevit_ends_before_the_convolution_that_widens_it() -> None:
    """L5 of Mehta and Rastegari, ICLR 2022, table 4: 80 channels; the head is given 320."""
    model = TimmModel("mobilevit_xxs", classes=2).eval()
    images, names = torch.rand(1, 3, 64, 64), ("stage2", "stage3", "stage4", "pooled")
    with torch.no_grad():
        outputs = model(images, frozenset(names))
        torch.testing.assert_close(outputs.logits, model(images).logits)
    assert [outputs.features[name].shape[1] for name in names] == [48, 64, 80, 320]
