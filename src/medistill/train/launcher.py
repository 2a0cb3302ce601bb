"""Who started this process: launchers of several are refused."""

from __future__ import annotations

import os

from medistill.core.errors import MachineError


def refuse_several() -> None:
    """Refuse to train as one of several processes, which would all write the same run folder.

    A single process inside a SLURM job or of torchrun is none of several.

    Raises:
        MachineError: torchrun or srun started more than one.
    """
    for launcher, (mark, count, one) in _LAUNCHERS.items():
        processes = int(os.environ.get(count, "1")) if mark in os.environ else 1
        if processes > 1:
            raise MachineError(
                where=launcher,
                what=f"started {processes} processes, and medistill trains in one",
                cure=f"Start it without {launcher}, or with {one}; it computes on one GPU.",
            )


# By launcher: a variable that it alone sets, the one that counts processes, and how to ask for one.
_LAUNCHERS = {
    "torchrun": ("TORCHELASTIC_RUN_ID", "WORLD_SIZE", "--nproc-per-node=1"),
    "srun": ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_TASKS", "--ntasks=1"),
}
