"""Seeds: every random draw of training is a pure function of (seed, step, process)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_everything(seed: int, *, exact: bool = False) -> None:
    """Seed torch on every device; numpy's and Python's global generators are never used.

    Args:
        seed: at least 0.
        exact: also ask torch for deterministic kernels until further notice.
    """
    torch.manual_seed(seed)
    if exact:
        _use_exact(True)


def seed_step(seed: int, step: int, *, rank: int = 0, device: torch.device) -> None:
    """Give dropout and drop-path of one step their own draws.

    Since they depend on the step alone, a resumed run needs no generator state, and whatever else
    drew numbers in between (a data loader, a validator) changes nothing.
    """
    digest = hashlib.blake2b(f"{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    value = int.from_bytes(digest, "little") >> 1
    # torch.manual_seed reaches every kind of device and costs 300 us; this costs 6 us on a CPU.
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)
    elif device.type != "cpu":
        torch.manual_seed(value)


@contextmanager
def exactness(exact: bool) -> Iterator[None]:
    """Deterministic kernels inside the block, if asked for; the old setting afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    if exact:
        _use_exact(True)
    try:
        yield
    finally:
        if exact:
            _use_exact(before)


def _use_exact(on: bool) -> None:
    # cuBLAS is deterministic only with a workspace of its own, chosen before its first call.
    if on:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)
