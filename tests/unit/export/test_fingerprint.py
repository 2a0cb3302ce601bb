from __future__ import annotations

from typing import Any

import pytest
import torch

from medistill.export.fingerprint import fingerprint
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.weights import state_hash
from tests.unit.export.conftest import tiny_network

VIT = {"name": "vit", "image_size": 16, "patch_size": 8, "width": 8, "depth": 1}


def vit(*, heads: int) -> Network:
    return built(**VIT, heads=heads)


def built(**given: Any) -> Network:
    torch.manual_seed(0)
    return build_model(ModelSpec(**given), classes=2)


@pytest.mark.parametrize(
    "given",
    [
        {**VIT, "heads": 2},
        {"name": "mobilevit_xxs", "image_size": 32, "shrinkage": "r4"},
        {"name": "test_convnext2", "image_size": 32, "decoder": "mlp"},
    ],
)
def test_the_same_network_built_twice_is_known_again(given: dict[str, Any]) -> None:
    assert fingerprint(built(**given)) == fingerprint(built(**given)) is not None


def passed_on(*_: object) -> None:
    """A hook."""


def test_a_hook_counts() -> None:
    network = tiny_network()
    network.backbone.register_forward_hook(passed_on)
    assert fingerprint(network) not in {None, fingerprint(tiny_network())}


def test_settings_count_where_the_weights_are_alike() -> None:
    one, two = vit(heads=1), vit(heads=2)
    assert state_hash(one) == state_hash(two)
    assert fingerprint(one) != fingerprint(two)


def test_a_tensor_counts_wherever_it_is_held() -> None:
    """Values, type and shape, also of one that no state dict lists."""
    held = [torch.zeros(2), torch.ones(2), torch.zeros(1, 2), torch.zeros(2, dtype=torch.int32)]
    found = []
    for value in held:
        network = tiny_network()
        network.backbone.kept = value
        found.append(fingerprint(network))
    assert len(set(found)) == len(held)


def test_what_cannot_be_pickled_is_not_known() -> None:
    network = tiny_network()
    network.backbone.squash = lambda x: x
    assert fingerprint(network) is None
