"""Reading and writing weight files; refusing what could run or is damaged."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from medistill.core.errors import WeightsError
from medistill.models.weight_file import read_weights, save_weights

WEIGHT = torch.arange(6.0).reshape(2, 3)


def test_saved_weights_come_back(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    save_weights(module, tmp_path / "weights.safetensors")
    state = read_weights(tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == [tmp_path / "weights.safetensors"]
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize(
    "content",
    [
        {"a": WEIGHT},
        {"model": {"a": WEIGHT}, "epoch": 3},
        {"state_dict": {"a": WEIGHT}, "best": 0.5},
        {"model": {"state_dict": {"a": WEIGHT}}},
        {"net": {"a": WEIGHT}, "optimizer": {"state": {0: {"step": WEIGHT}}}},
        {"state_dict": {"a": WEIGHT}, "args": argparse.Namespace(lr=0.1), "metric": np.float64(1)},
    ],
)
def test_torch_checkpoints_are_unwrapped(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pth")
    state = read_weights(tmp_path / "weights.pth")
    assert list(state) == ["a"]
    assert torch.equal(state["a"], WEIGHT)


@pytest.mark.parametrize("ema", ["state_dict_ema", "model_ema"])
def test_of_several_the_moving_average_is_read_and_told(tmp_path: Path, ema: str) -> None:
    content = {"state_dict": {"a": WEIGHT}, ema: {"a": WEIGHT + 1}}
    torch.save(content, tmp_path / "weights.pth")
    notes: list[str] = []
    assert torch.equal(read_weights(tmp_path / "weights.pth", notes)["a"], WEIGHT + 1)
    assert notes == [f"read from '{ema}', not from 'state_dict'"]


def test_a_score_that_numpy_1_pickled_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    content = {"model": {"a": WEIGHT}, "metric": np.float64(1)}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert b"numpy.core." in path.read_bytes()
    assert list(read_weights(path)) == ["a"]


@pytest.mark.parametrize("place", ["", "model/"])
def test_several_that_could_be_meant_are_refused(tmp_path: Path, place: str) -> None:
    several: Any = {"one": {"a": WEIGHT}, "two": {"a": WEIGHT}}
    torch.save({"model": several} if place else several, tmp_path / "weights.pth")
    names = f"{place}one, {place}two"
    with pytest.raises(WeightsError, match=f"holds several state dicts: {names}. Save the one"):
        read_weights(tmp_path / "weights.pth")


def test_safetensors_under_another_suffix(tmp_path: Path) -> None:
    safetensors.torch.save_file({"a": WEIGHT}, tmp_path / "weights.bin")
    assert torch.equal(read_weights(tmp_path / "weights.bin")["a"], WEIGHT)


class Trap:
    """What a hostile pickle does."""

    def __reduce__(self) -> Any:
        return open, ("trap-was-run", "w")


@pytest.mark.parametrize("kind", ["whole module", "hostile zip", "hostile pickle"])
def test_pickles_are_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    if kind == "hostile pickle":
        path.write_bytes(pickle.dumps(Trap()))
    else:
        torch.save(nn.Linear(2, 2) if kind == "whole module" else {"a": Trap()}, path)
    with pytest.raises(WeightsError, match=r"a pickle that would run code.*to safetensors"):
        read_weights(path)
    assert not (tmp_path / "trap-was-run").exists()


class Forged:
    """A pickle of a score whose type claims to hold objects: to make it ends the process."""

    def __reduce__(self) -> Any:
        claims = (3, "<", None, None, None, -1, -1, 0x3F)
        return np.float64(1).__reduce__()[0], (Forged.Type(claims),)

    class Type:
        def __init__(self, state: tuple[object, ...]) -> None:
            self.state = state

        def __reduce__(self) -> Any:
            return np.dtype, ("f8", False, True), self.state


def test_what_stands_beside_the_weights_is_not_made(tmp_path: Path) -> None:
    content = {"model": {"a": WEIGHT}, "metric": Forged(), "count": np.int16(1)}
    torch.save(content, tmp_path / "weights.pth")
    assert list(read_weights(tmp_path / "weights.pth")) == ["a"]


def test_what_a_refused_pickle_makes_is_named(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"\(it makes a torch\.nn\.modules\.linear\.Linear\)"):
        read_weights(tmp_path / "weights.pth")


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "a.pth")
    (tmp_path / "a.pth").write_bytes(cut((tmp_path / "a.pth").read_bytes()))
    whole = safetensors.torch.save({"a": torch.zeros(1000)})
    (tmp_path / "a.safetensors").write_bytes(cut(whole))
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for name in ("a.pth", "a.safetensors", "empty.safetensors"):
        with pytest.raises(WeightsError, match=rf"{name}: is damaged or cut short \(.+\)\. Copy"):
            read_weights(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"hello"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(WeightsError, match="is neither a safetensors nor a PyTorch file"):
        read_weights(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, WEIGHT, {"model": {"a": 1}}])
def test_checkpoint_without_a_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"holds no state dict.*state_dict, model_state_dict"):
        read_weights(tmp_path / "weights.pth")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="none.pth: does not exist"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match=r"is a folder\. Give the path of a weights file\."):
        read_weights(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(WeightsError, match=r"for example .*model\.safetensors\."):
        read_weights(tmp_path)
