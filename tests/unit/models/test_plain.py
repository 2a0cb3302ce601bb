"""Files of plain models start networks that have more; what a file should hold, it must."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor

from medistill.core.errors import WeightsError
from medistill.models.build import build_model
from medistill.models.network import Network
from medistill.models.plain import beyond_plain, has_decoder
from medistill.models.spec import ModelSpec
from medistill.models.weights import WeightsProof, load_weights

XXS, PVT = "mobilevit_xxs", "pvt_v2_b0"
DEIT = "deit_tiny_distilled_patch16_224"


def started(network: Network, state: dict[str, Tensor], folder: Path) -> WeightsProof:
    """What a network takes of a file of these tensors."""
    torch.save(state, folder / "plain.pth")
    return load_weights(network, folder / "plain.pth", ignore_head=True, plain=True)


def published(name: str) -> dict[str, Tensor]:
    """As large as what timm publishes, by timm's names."""
    torch.manual_seed(1)
    return dict(timm.create_model(name, pretrained=False).state_dict())


def ours(**spec: object) -> Network:
    torch.manual_seed(0)
    return build_model(ModelSpec(**spec), classes=4)  # type: ignore[arg-type]


@pytest.mark.parametrize(("gate", "added"), [("r4", 27), ("eca", 3)])
def test_a_file_of_mobilevit_starts_rms_net(gate: str, added: int, tmp_path: Path) -> None:
    network, state = ours(name=XXS, shrinkage=gate), published(XXS)
    proof = started(network, state, tmp_path)
    assert proof.loaded == len(state) - 2  # all but the classifier
    assert f"{added} tensors of added parts left as initialised" in proof.notes
    assert not proof.whole
    own = network.backbone.state_dict()
    assert all(torch.equal(own[k], value) for k, value in state.items() if "head.fc" not in k)


@pytest.mark.parametrize(
    ("relative", "local", "lacking", "idle"),
    # Twelve blocks: a table; LeFF's and LocalViT's tensors; two linear layers, and a norm.
    [
        ("k", None, 12, 0),
        ("qkv", None, 36, 0),
        (None, "leff", 12 * 21, 48),
        ("k", "leff", 12 * 22, 48),
        (None, "localvit", 12 * 18, 72),
    ],
)
def test_a_file_of_deit_starts_every_step_to_drpl_vit(
    relative: str | None, local: str | None, lacking: int, idle: int, tmp_path: Path
) -> None:
    network = ours(name="vit_tiny", distilled=True, relative=relative, local=local)
    proof = started(network, published(DEIT), tmp_path)
    assert f"{lacking} tensors of added parts left as initialised" in proof.notes
    assert (f"{idle} tensors of what they replace left out" in proof.notes) == bool(idle)
    assert proof.loaded == proof.total - lacking - 4


def test_a_file_of_drpl_vit_itself_is_loaded_whole(tmp_path: Path) -> None:
    state = ours(name="vit_tiny", distilled=True, relative="k", local="leff").backbone.state_dict()
    network = ours(name="vit_tiny", distilled=True, relative="k", local="leff")
    proof = started(network, {key: value + 1 for key, value in state.items()}, tmp_path)
    assert (proof.loaded, proof.notes, proof.whole) == (proof.total, (), True)


def test_a_file_of_an_encoder_starts_a_segmentation_network(tmp_path: Path) -> None:
    network, state = ours(name=PVT, image_size=64, decoder="mlp"), published(PVT)
    proof = started(network, {f"module.{name}": value for name, value in state.items()}, tmp_path)
    assert proof.loaded == len(state) - 2
    assert proof.notes[-1] == "decoder left as initialised"
    assert not proof.whole
    own = network.backbone.state_dict()
    assert all(torch.equal(own[f"encoder.{k}"], v) for k, v in state.items() if "head" not in k)
    whole = started(ours(name=PVT, image_size=64, decoder="mlp"), own, tmp_path)
    assert (whole.loaded, whole.whole) == (whole.total, True)


@pytest.mark.parametrize("name", ["stages.2.1.conv_proj.conv.weight", "stem.bn.weight"])
def test_what_the_plain_model_has_must_be_in_the_file(name: str, tmp_path: Path) -> None:
    state = published(XXS)
    del state[name]
    with pytest.raises(WeightsError, match=f"1 missing .{name}"):
        started(ours(name=XXS, shrinkage="r4"), state, tmp_path)


def test_a_network_that_lacks_what_the_file_has_is_refused(tmp_path: Path) -> None:
    state = ours(name=XXS, shrinkage="eca").backbone.state_dict()
    with pytest.raises(WeightsError, match="3 unexpected .*shrink.gate.weight"):
        started(ours(name=XXS), state, tmp_path)


def test_plain_networks_have_nothing_beyond() -> None:
    for network in (ours(name="vit_tiny"), ours(name=XXS)):
        notes: list[str] = []
        own = network.backbone.state_dict()
        assert beyond_plain(network.backbone, (), own, notes) == set()
        assert notes == []


def test_a_decoder_is_known_by_its_classifier() -> None:
    assert has_decoder({"module.classify.weight", "module.encoder.stem.weight"})
    assert not has_decoder({"classifier.weight", "head.weight"})
