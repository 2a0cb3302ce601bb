"""A constrained device, imitated by the operating system's own limits. Torch-free."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np

from medistill.core.errors import MedistillError
from medistill.core.memory import data_bytes
from medistill.core.timing import times_in_turns

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
_ENERGY = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
_SIDE = 512


def parse_memory(text: str) -> int:
    """Bytes of a text such as ``512M``; K, M and G are powers of 1,024.

    >>> parse_memory("512M")
    536870912

    Raises:
        MedistillError: it is no such text.
    """
    found = re.fullmatch(r"([1-9]\d*)([KMG])i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise MedistillError(
            where="--memory", what=f"'{text}' is no size", cure="Say, for example, 512M."
        )
    return int(found[1]) * _UNITS[found[2].upper()]


def constrain(*, threads: int, memory_bytes: int | None) -> bool:
    """Bind this process to so many cores and bound the memory that it may write to.

    Args:
        threads: cores of those that it may use now.
        memory_bytes: of private, writable memory; beyond it allocations fail.

    Returns:
        Whether the system enforces all that was asked; macOS and Windows cannot.

    Raises:
        MedistillError: this process holds more memory already.
    """
    enforced = True
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    else:
        enforced = False
    if memory_bytes is not None:
        enforced = _bound_memory(memory_bytes) and enforced
    return enforced


def _bound_memory(memory_bytes: int) -> bool:
    if sys.platform != "linux":
        return False
    import resource

    held = data_bytes() or 0
    if held > memory_bytes:
        raise MedistillError(
            where="--memory",
            what=f"libraries and weights alone hold {_in_mebibytes(held)} of data, more than the "
            f"{_in_mebibytes(memory_bytes)} allowed",
            cure="Give more.",
        )
    # Code and reserved addresses cost a device nothing; data do.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    return True


def _in_mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def energy_joules() -> float | None:
    """Energy that the processor has counted; None where the machine does not tell."""
    try:
        return int(_ENERGY.read_text()) / 1e6
    except (OSError, ValueError):
        return None


def matrix_peak_flops() -> float:
    """Floating point operations a second of the best product of 512 x 512 float32 matrices here.

    numpy's BLAS with the threads that its environment grants; the best of twenty.
    """
    left = np.random.default_rng(0).random((_SIDE, _SIDE), dtype=np.float32)
    (taken,) = times_in_turns([lambda: left @ left], runs=20)
    return 2 * _SIDE**3 / taken[0]
