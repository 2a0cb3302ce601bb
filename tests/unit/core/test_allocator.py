"""The heap is kept, where the C library can keep it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A process of its own: the setting lasts as long as the process.
PAGE_FAULTS = """
import resource
from medistill.core.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        b"x" * (64 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
kept = keep_freed_memory()
faults()
print(kept, first, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_large_arrays_come_from_memory_that_was_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True, timeout=60
    )
    kept, before, after = done.stdout.split()
    if kept == "False":
        pytest.skip("this C library has no mallopt")
    # 5 arrays of 16,384 pages each, more than glibc keeps by itself (32 MiB).
    assert int(before) > 5 * 16_000
    assert int(after) < 1_000
