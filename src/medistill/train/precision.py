"""Device, precision and processes, through Lightning Fabric."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Literal

import torch

from medistill.core.runtime import has_fast_bf16
from medistill.train.settings import Precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Resolved = Literal["32-true", "bf16-mixed"]


def resolve_precision(precision: Precision) -> Resolved:
    """What ``auto`` means on this machine: bf16 autocast where the processor computes in it."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = has_fast_bf16()
    return "bf16-mixed" if fast else "32-true"


def make_fabric(precision: Precision) -> Fabric:
    """One process on the best device; under torchrun or srun, one process of the group.

    Fabric is imported here, since that takes seconds.
    """
    # Fabric announces its precision and processes on stderr as soon as it is made.
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    fabric = Fabric(accelerator="auto", precision=resolve_precision(precision), **_processes())
    fabric.launch()
    return fabric


def _processes() -> dict[str, Any]:
    """Fabric's arguments for the group of processes that this one was started in."""
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    local, nodes = _group()
    if local * nodes == 1:
        # Named, so that a single process inside a SLURM job is not taken for one of its tasks.
        return {"devices": 1, "plugins": [LightningEnvironment()]}
    # A method need not use every head, for example when it matches embeddings only.
    strategy = DDPStrategy(find_unused_parameters=True)
    return {"devices": local, "num_nodes": nodes, "strategy": strategy}


def _group() -> tuple[int, int]:
    """Processes a node and nodes, as torchrun or srun announce them; 1 and 1 otherwise."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        local = int(env["LOCAL_WORLD_SIZE"])
        return local, int(env["WORLD_SIZE"]) // local
    if "SLURM_STEP_NUM_TASKS" in env:
        nodes = int(env["SLURM_STEP_NUM_NODES"])
        return int(env["SLURM_STEP_NUM_TASKS"]) // nodes, nodes
    return 1, 1
