"""The state validates both candidates and goes to disk and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from medistill.methods.supervised import Supervised
from medistill.models.network import Network
from medistill.train.precision import make_fabric
from medistill.train.state import TrainState, new_state
from medistill.train.trainee import Trainee
from tests.unit.train.small import make_network, make_settings, state_hash


def _state(folder: Path, seed: int = 0) -> TrainState:
    trainee = Trainee(make_network(seed), torch.nn.ModuleDict(), Supervised())
    settings = make_settings(ema=0.9)
    return new_state(trainee, settings, 100, folder, {"a": "1"}, make_fabric("32-true"))


def _weight_score(network: Network) -> dict[str, float]:
    return {"auroc": network.backbone.get_parameter("head.bias")[0].item(), "loss": 1.0}


def test_candidates_are_scored_and_the_best_is_copied(tmp_path: Path) -> None:
    state = _state(tmp_path)
    state.epoch = 1
    with torch.no_grad():
        state.trainee.network.backbone.get_parameter("head.bias").fill_(0.5)
    columns = state.validate(_weight_score, "auroc")
    assert columns["select.raw.auroc"] == 0.5
    assert columns["select.ema.auroc"] == 0.0
    assert state.best is not None
    assert (state.best.epoch, state.best.which) == (1, "raw")
    with torch.no_grad():
        state.trainee.network.backbone.get_parameter("head.bias").fill_(-1)
    state.epoch = 2
    state.validate(_weight_score, "auroc")
    assert state.best.epoch == 1
    assert state.best.weights["head.bias"].tolist() == [0.5, 0.5]


def test_saved_state_comes_back_whole(tmp_path: Path) -> None:
    state = _state(tmp_path)
    for parameter in state.trainee.parameters():
        parameter.grad = torch.ones_like(parameter)
    state.optimiser.step()
    assert state.ema is not None
    state.ema.update(0)
    state.epoch, state.rows = 1, ({"epoch": 1.0, "step": 5.0},)
    state.validate(_weight_score, "auroc")
    state.save()
    assert (tmp_path / "best.safetensors").is_file()

    other = _state(tmp_path, seed=9)
    assert state_hash(other.trainee.state_dict()) != state_hash(state.trainee.state_dict())
    other.resume()
    assert state_hash(other.trainee.state_dict()) == state_hash(state.trainee.state_dict())
    assert other.ema is not None
    assert state_hash(other.ema.network.state_dict()) == state_hash(state.ema.network.state_dict())
    moments = [s.optimiser.state_dict()["state"][0]["exp_avg_sq"] for s in (state, other)]
    assert torch.equal(*moments)
    assert (other.epoch, other.rows) == (1, state.rows)


@pytest.mark.parametrize(("patience", "stops"), [(None, False), (3, False), (2, True)])
def test_patience_counts_epochs_since_the_best(
    tmp_path: Path, patience: int | None, stops: bool
) -> None:
    state = _state(tmp_path)
    assert not state.stopped(patience)
    state.epoch = 1
    state.validate(_weight_score, "auroc")
    state.epoch = 3
    assert state.stopped(patience) is stops
