"""What ``auto`` means on a device, and that Fabric is one silent process on the run's."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import MachineError
from medistill.train import precision
from medistill.train.precision import make_fabric, resolve_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(("fast", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_asks_the_processor_where_the_network_is_on_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, expected: str
) -> None:
    # A GPU beside it, which says the opposite, is not asked.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not fast)
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: fast)
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("32-true", CPU) == "32-true"
    assert resolve_precision("bf16-mixed", CPU) == "bf16-mixed"


@pytest.mark.parametrize(("fast", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_asks_the_gpu_where_the_network_is_on_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: fast)
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: not fast)
    assert resolve_precision("auto", GPU) == expected
    assert resolve_precision("auto", torch.device("mps")) == "32-true"


def test_fabric_is_one_silent_process_on_the_device_of_the_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precision, "run_device", lambda: CPU)
    fabric = make_fabric("bf16-mixed")
    assert (fabric.world_size, fabric.device) == (1, CPU)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "job",
    [
        {"SLURM_JOB_ID": "1", "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"},
        {"SLURM_JOB_ID": "1", "SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1"},
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"},
    ],
)
def test_one_process_of_a_job_trains_alone(
    monkeypatch: pytest.MonkeyPatch, job: dict[str, str]
) -> None:
    monkeypatch.setattr(precision, "run_device", lambda: CPU)
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    assert make_fabric("32-true").world_size == 1


def test_one_of_several_processes_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    with pytest.raises(MachineError, match=r"^srun: started 2 processes"):
        make_fabric("32-true")
