"""Several processes are refused in one message that names who started them."""

from __future__ import annotations

import pytest

from medistill.core.errors import MachineError
from medistill.train.launcher import refuse_several


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"},
            r"^torchrun: started 8 processes, and medistill trains in one\. Start it without",
        ),
        (
            {"SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_NUM_NODES": "3"},
            r"^srun: started 6 processes, .* or with --ntasks=1; it computes on one GPU\.$",
        ),
    ],
)
def test_several_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MachineError, match=message):
        refuse_several()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WORLD_SIZE": "4"},
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "1"},
        {"SLURM_STEP_NUM_TASKS": "1", "SLURM_NTASKS": "1"},
        {"SLURM_NTASKS": "8"},  # a job of eight tasks, in whose script nothing was started by srun
    ],
)
def test_one_process_may_train(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refuse_several()
