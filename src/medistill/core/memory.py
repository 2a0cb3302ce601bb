"""What this process has used of the machine's memory. Torch-free."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int | None:
    """Largest resident memory of this process so far; None where that is unknown."""
    if sys.platform == "win32":
        return None
    if _STATUS.is_file():
        # Linux's own ru_maxrss starts with what the parent had when it forked.
        return _status("VmHWM")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def data_bytes() -> int | None:
    """Private, writable memory that this process holds, which ``RLIMIT_DATA`` bounds.

    None where the system does not tell, as only Linux does.
    """
    return _status("VmData") if _STATUS.is_file() else None


def _status(key: str) -> int | None:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next((int(x.split()[1]) * 1024 for x in lines if x.startswith(key)), None)
