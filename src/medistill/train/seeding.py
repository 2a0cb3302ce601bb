"""Seeds: every random draw of training is a pure function of (seed, step)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from medistill.core.errors import MachineError


def seed_everything(seed: int, *, exact: bool = False) -> None:
    """Seed torch on every device; numpy's and Python's global generators are never used.

    Args:
        seed: at least 0.
        exact: also ask torch for deterministic kernels until further notice.
    """
    torch.manual_seed(seed)
    if exact:
        _use_exact(True)


def seed_step(seed: int, step: int, *, device: torch.device) -> None:
    """Give dropout and drop-path of one step their own draws.

    Since they depend on the step alone, a resumed run needs no generator state, and whatever else
    drew numbers in between (a data loader, a validator) changes nothing.
    """
    # The 0 once was the number of the process; with it, earlier trainings repeat bit by bit.
    digest = hashlib.blake2b(f"{seed}/{step}/0".encode(), digest_size=8).digest()
    value = int.from_bytes(digest, "little") >> 1
    # torch.manual_seed reaches every kind of device and costs 300 us; this costs 6 us on a CPU.
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type != "cpu":
        torch.manual_seed(value)


@contextmanager
def exactness(exact: bool) -> Iterator[None]:
    """Deterministic kernels inside the block, if asked for; the old setting afterwards.

    Raises:
        MachineError: an operation inside has no deterministic form on its device.
    """
    before = torch.are_deterministic_algorithms_enabled()
    if exact:
        _use_exact(True)
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(_NO_EXACT_FORM)
        if exact and found:
            raise _inexact(operation) from error
        raise
    finally:
        if exact:
            _use_exact(before)


def prepare_exactness() -> None:
    """Choose what cuBLAS needs to be deterministic, before it is called for the first time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


# What torch says after the name of an operation that it refuses.
_NO_EXACT_FORM = " does not have a deterministic implementation"


def _inexact(operation: str) -> MachineError:
    return MachineError(
        where="--exact",
        what=f"{operation} has no deterministic form on this device",
        cure="Run without --exact, or on the processor: put CUDA_VISIBLE_DEVICES= before the "
        "command.",
    )


def _use_exact(on: bool) -> None:
    if on:
        prepare_exactness()
    torch.use_deterministic_algorithms(on)
