from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medistill.explain.sanity import (
    agreement,
    centre_points_at,
    deletion_insertion,
    mask_shares,
    points_at,
    randomised,
    tolerant,
)
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from tests.elsewhere import elsewhere

SEEN = Preprocessing(size=16, mean=(0.0,), std=(1.0,), channels="gray")


class Corner(nn.Module):
    """Sure of class 1 where the upper left corner is bright."""

    channels, classes = 1, 2
    feature_names = frozenset({"stage0"})

    def forward(self, x, want=frozenset()):
        score = 20 * (x[:, 0, :4, :4].mean(dim=(1, 2)) - 0.5)
        return Outputs(torch.stack([-score, score], dim=1), {})


def test_a_true_map_deletes_faster_and_inserts_sooner_than_a_false_one() -> None:
    images = torch.zeros(1, 1, 16, 16)
    images[0, 0, :4, :4] = 1
    true, false = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    true[0, :4, :4] = 1
    false[0, 12:, 12:] = 1
    network, classes = Network(Corner(), SEEN), torch.tensor([1])
    deleted, inserted = deletion_insertion(network, images, true, classes)
    worse_deleted, worse_inserted = deletion_insertion(network, images, false, classes)
    assert deleted[0] < worse_deleted[0] - 0.5
    assert inserted[0] > worse_inserted[0] + 0.5
    assert 0 <= deleted[0] <= inserted[0] <= 1


def test_random_weights_are_the_networks_own_in_another_order() -> None:
    spec = ModelSpec(name="vit", image_size=16, patch_size=8, width=8, depth=1, heads=2)
    network = build_model(spec, classes=2, channels="gray")
    other = randomised(network)
    before, after = network.state_dict(), other.state_dict()
    assert not torch.equal(before["backbone.head.weight"], after["backbone.head.weight"])
    for name in before:
        torch.testing.assert_close(
            before[name].flatten().sort()[0], after[name].flatten().sort()[0]
        )
    assert torch.equal(
        randomised(network).state_dict()["backbone.head.weight"], after["backbone.head.weight"]
    )


def test_agreement_is_a_rank_correlation() -> None:
    ramp = torch.linspace(0, 1, 256).reshape(1, 16, 16)
    assert agreement(ramp, ramp**3)[0] == pytest.approx(1.0)
    assert agreement(ramp, 1 - ramp)[0] == pytest.approx(-1.0)
    assert np.isnan(agreement(ramp, torch.zeros(1, 16, 16))[0])


def test_pointing_game_by_hand() -> None:
    masks = np.zeros((3, 4, 4), dtype=bool)
    masks[:, 2, 2] = True
    maps = torch.zeros(3, 4, 4)
    maps[0, 2, 2] = maps[1, 0, 0] = 1.0
    maps[2] = 0.5  # flat: points nowhere
    assert points_at(maps, masks).tolist() == [True, False, False]
    assert centre_points_at(masks).tolist() == [True, True, True]
    np.testing.assert_allclose(mask_shares(masks), 1 / 16)


def test_the_tolerance_is_three_percent_of_the_side() -> None:
    masks = np.zeros((1, 100, 100), dtype=bool)
    masks[0, 50, 50] = True
    grown = tolerant(masks)[0]
    assert grown[50, 53]
    assert not grown[50, 54]


def test_a_flat_map_agrees_with_nothing() -> None:
    # The mean of many equal numbers is not quite that number, so their deviation is not quite 0.
    flat = torch.full((1, 15, 15), 0.1)
    assert flat.numpy().flatten().std() > 0
    assert np.isnan(agreement(flat, torch.rand(1, 15, 15), side=15)).all()


def test_a_network_of_another_device_is_asked_there() -> None:
    spec = ModelSpec(name="vit", image_size=16, patch_size=8, width=8, depth=1, heads=2)
    network = build_model(spec, classes=2, channels="gray").eval()
    images, maps, classes = torch.rand(3, 1, 16, 16), torch.rand(3, 16, 16), torch.tensor([0, 1, 1])
    shuffled = randomised(network).state_dict()["backbone.head.weight"]
    expected = deletion_insertion(network, images, maps, classes)
    with elsewhere() as there:
        found = deletion_insertion(network.to(there), images, maps, classes)
        again = randomised(network).state_dict()["backbone.head.weight"]
        assert again.device == there
        assert torch.equal(again.cpu(), shuffled)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
