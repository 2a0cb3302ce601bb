"""Device and precision of a training, through Lightning Fabric."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import torch

from medistill.core.runtime import has_fast_bf16
from medistill.train.device import run_device
from medistill.train.launcher import refuse_several
from medistill.train.settings import Precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Resolved = Literal["32-true", "bf16-mixed"]


def resolve_precision(precision: Precision, device: torch.device) -> Resolved:
    """What ``auto`` means on a device: bf16 autocast where it computes in it, else float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and has_fast_bf16()
    return "bf16-mixed" if fast else "32-true"


def make_fabric(precision: Precision) -> Fabric:
    """One process on the run's device.

    Fabric is imported here, since that takes seconds.

    Raises:
        MachineError: this is one of several processes.
    """
    refuse_several()
    # Fabric announces its precision and processes on stderr as soon as it is made.
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    device = run_device()
    fabric = Fabric(
        accelerator=device.type,
        devices=1,
        precision=resolve_precision(precision, device),
        # Named, so that a single process inside a SLURM job is not taken for one of its tasks.
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    return fabric
