"""Memory that a process keeps instead of giving it back between two batches. Torch-free."""

from __future__ import annotations

import ctypes
import sys

# mallopt's parameters and its largest value, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER_TRIM = 2**31 - 1
_LARGEST_KEPT = 2**30


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees; true where that was possible.

    glibc maps every array above 32 MiB afresh and gives it back when it is freed, so that each
    batch of a convolutional network pays for zeroed pages again: a network in eval mode can lose
    almost half of its speed on a processor to it. Afterwards arrays of up to 1 GiB come from the
    heap, which does not shrink. Elsewhere than on Linux with glibc this does nothing.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return all(
        mallopt(ctypes.c_int(parameter), ctypes.c_int(value)) == 1
        for parameter, value in ((_MMAP_THRESHOLD, _LARGEST_KEPT), (_TRIM_THRESHOLD, _NEVER_TRIM))
    )
