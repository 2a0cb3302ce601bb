"""What wrappers put before the names of tensors."""

from __future__ import annotations

import pytest
import torch

from medistill.models.state_names import unwrapped, without_pretraining

OWN = ("stem.weight", "norm.weight", "blocks.0.norm.weight")
STATE = {name: torch.full((1,), float(place)) for place, name in enumerate(OWN)}


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod.", "net.encoder."])
def test_any_prefix_of_all_names_goes(prefix: str) -> None:
    notes: list[str] = []
    found = unwrapped({prefix + name: value for name, value in STATE.items()}, OWN, notes)
    assert found == STATE
    assert notes == []


def test_tensors_outside_the_wrapper_are_left_out_and_told() -> None:
    notes: list[str] = []
    wrapped = {f"model.{name}": value for name, value in STATE.items()}
    found = unwrapped({**wrapped, "criterion.weight": torch.ones(2)}, OWN, notes)
    assert found == STATE
    assert notes == ["1 tensors outside 'model.' left out (criterion.weight)"]


def test_tensors_beside_the_models_own_stay_to_be_refused() -> None:
    further = {**STATE, "head.weight": torch.ones(2)}
    assert unwrapped(further, OWN, []) == further


def test_two_networks_that_fit_alike_stay_as_they_are() -> None:
    both = {f"{who}.{name}": v for who in ("teacher", "student") for name, v in STATE.items()}
    assert unwrapped(both, OWN, []) == both
    assert unwrapped({"other": torch.ones(1)}, OWN, []).keys() == {"other"}


def test_what_only_pretraining_needed_is_left_out_and_told() -> None:
    notes: list[str] = []
    further = ("mask_token", "decoder_embed.weight", "decoder_blocks.0.norm1.weight", "decoder_x")
    state = {**STATE, **dict.fromkeys(further, torch.ones(1))}
    assert without_pretraining(state, OWN, notes) == STATE
    assert notes == [f"4 tensors of its pretraining left out ({', '.join(further[:3])}, ...)"]


def test_parts_that_the_model_has_stay_whatever_they_are_called() -> None:
    own = (*OWN, "mask_token")
    state = {**STATE, "mask_token": torch.ones(1), "blocks.1.norm.weight": torch.ones(1)}
    notes: list[str] = []
    assert without_pretraining(state, own, notes) == state
    assert notes == []
