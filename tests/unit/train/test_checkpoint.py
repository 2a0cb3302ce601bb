"""Checkpoints are whole or absent, hold no code, and tell what is wrong with them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from medistill.core.errors import RunFolderError
from medistill.train.checkpoint import (
    Checkpoint,
    cpu_copy,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    save_weights,
)
from medistill.train.selection import Best


def _checkpoint(epoch: int = 3) -> Checkpoint:
    return Checkpoint(
        fingerprint={"train.lr": "0.1"},
        epoch=epoch,
        trainee={"w": torch.tensor([0.1, float("nan")])},
        optimiser={"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
        ema=None,
        best=Best(2, "ema", {"auroc": 0.75, "loss": 0.5}, {"w": torch.ones(1)}),
        rows=({"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": float("nan")}),
    )


def test_round_trip_keeps_every_bit(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, _checkpoint())
    loaded = load_checkpoint(path, {"train.lr": "0.1"})
    assert loaded is not None
    assert loaded.epoch == 3
    assert (
        loaded.trainee["w"].numpy().tobytes() == torch.tensor([0.1, float("nan")]).numpy().tobytes()
    )
    assert loaded.rows[0]["loss"] == 0.1 + 0.2
    assert (loaded.best.epoch, loaded.best.which, loaded.best.scores["auroc"]) == (2, "ema", 0.75)
    assert torch.equal(loaded.best.weights["w"], torch.ones(1))
    assert loaded.optimiser["state"][0]["step"] == 3


def test_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "last.pt", {}) is None


def _flip_a_bit_of_a_tensor(content: bytes) -> bytes:
    place = content.index(torch.tensor(0.1).numpy().tobytes())
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_damaged_or_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, _checkpoint())
    whole = path.read_bytes()
    torch.save({"format": 99}, path)
    contents = [
        b"",
        whole[: len(whole) // 2],
        _flip_a_bit_of_a_tensor(whole),
        pickle.dumps(print),
        path.read_bytes(),
    ]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(RunFolderError, match=r"last\.pt: is damaged .*\. Delete it to start"):
            load_checkpoint(path, {"train.lr": "0.1"})


class _FullDisk:
    """Stands for a stream on a disk that fills up."""

    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


def test_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, _checkpoint())
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda content, _: save(content, _FullDisk()))
    with pytest.raises(RunFolderError, match=r"cannot be written: No space left on device\. Free"):
        save_checkpoint(path, _checkpoint(epoch=4))
    loaded = load_checkpoint(path, {"train.lr": "0.1"})
    assert loaded is not None
    assert loaded.epoch == 3
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_leftovers_of_a_kill_are_removed(tmp_path: Path) -> None:
    kept = [tmp_path / "last.pt", tmp_path / ".lock", tmp_path / ".other.pt.1"]
    for path in [*kept, tmp_path / ".last.pt.12.34", tmp_path / ".history.csv.5.6"]:
        path.write_text("")
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_weights_are_safetensors_even_of_shared_and_strided_tensors(tmp_path: Path) -> None:
    layer = nn.Linear(2, 3, bias=False)
    tied = nn.Sequential(layer, layer)
    layer.weight.data = torch.arange(6.0).reshape(2, 3).T
    weights = cpu_copy(tied)
    layer.weight.data.zero_()
    save_weights(tmp_path / "w.safetensors", weights)
    loaded = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert set(loaded) == {"0.weight", "1.weight"}
    assert loaded["1.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_unwritable_weights_tell_the_cure(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="Free space or mend the permissions"):
        save_weights(tmp_path / "missing" / "w.safetensors", {})
