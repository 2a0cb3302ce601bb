"""What ``auto`` means, and that Fabric is silent and sees the right group of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from medistill.train import precision
from medistill.train.precision import make_fabric, resolve_precision
from tests.unit.train.shared_training import train_plainly
from tests.unit.train.small import last_state


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(("fast", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_asks_the_processor(
    no_gpu: None, monkeypatch: pytest.MonkeyPatch, fast: bool, expected: str
) -> None:
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: fast)
    assert resolve_precision("auto") == expected
    assert resolve_precision("32-true") == "32-true"
    assert resolve_precision("bf16-mixed") == "bf16-mixed"


def test_auto_asks_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: True)
    assert resolve_precision("auto") == "32-true"


def test_fabric_is_one_silent_process(no_gpu: None, capfd: pytest.CaptureFixture[str]) -> None:
    fabric = make_fabric("bf16-mixed")
    assert (fabric.world_size, fabric.device.type) == (1, "cpu")
    assert fabric.is_global_zero
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("variables", "group"),
    [
        ({}, (1, 1)),
        ({"WORLD_SIZE": "4"}, (1, 1)),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        ({"SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_NUM_NODES": "3"}, (2, 3)),
    ],
)
def test_group_is_what_the_launcher_announced(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], group: tuple[int, int]
) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert precision._group() == group


@pytest.mark.slow
def test_two_processes_train_like_one(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", "-m", "tests.unit.train.shared_training", str(tmp_path / "2")]
    path = os.pathsep.join([str(root / "src"), str(root)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True)
    one = train_plainly(tmp_path / "1")
    alone, shared = (last_state(tmp_path / name)["trainee"] for name in ("1", "2"))
    assert one.epochs == 2
    torch.testing.assert_close(shared, alone, rtol=1e-3, atol=1e-5)
    assert (tmp_path / "2/weights.safetensors").is_file()
