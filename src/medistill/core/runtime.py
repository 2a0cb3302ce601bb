"""What this machine offers: processor, threads, memory. Torch-free."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")

# Instruction sets with bfloat16 arithmetic: Intel and AMD AVX-512, Intel AMX, ARM FEAT_BF16.
_FAST_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})

# Version 1 of control groups writes a number near 2**63 where there is no limit.
_NO_LIMIT = 1 << 60


def has_fast_bf16() -> bool:
    """Whether the processor computes in bfloat16 itself; false where that is unknown.

    Without such instructions bfloat16 is emulated, which can be hundreds of times slower than
    float32.
    """
    for line in _lines(_CPUINFO):
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            return not _FAST_BF16.isdisjoint(value.split())
    return False


def is_intel() -> bool:
    """Whether Intel made the processor; false where that is unknown."""
    names = [line for line in _lines(_CPUINFO) if line.startswith("vendor_id")]
    return "GenuineIntel" in (names[0] if names else platform.processor())


def cpu_threads() -> int:
    """Threads that this process may run at once: its affinity, cut by a container's quota."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        allowed = os.cpu_count() or 1
    quota = _cpu_quota()
    return allowed if quota is None else max(1, min(allowed, quota))


def available_memory_bytes() -> int:
    """Memory in bytes that can be taken without swapping; 0 where that is unknown."""
    free = _free_memory_bytes()
    room = _container_room_bytes()
    if room is None:
        return free
    return min(free, room) if free else room


def hardware_summary() -> dict[str, str | int]:
    """What a measured time must be read with, ready for JSON.

    Returns:
        ``processor`` name, ``cores`` that the machine has, ``threads`` that this process may
        use, ``memory_bytes`` that the machine has (0 where unknown), ``system``, ``python``.
    """
    return {
        "processor": _processor_name(),
        "cores": os.cpu_count() or 1,
        "threads": cpu_threads(),
        "memory_bytes": _meminfo("MemTotal") or _pages_bytes("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _lines(path: Path) -> Iterator[str]:
    """Lines of a system file; none where it cannot be read."""
    try:
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return


def _processor_name() -> str:
    for line in _lines(_CPUINFO):
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _cpu_quota() -> int | None:
    """Whole processors that a control group grants, or None without a limit."""
    words = " ".join(_lines(_CGROUP / "cpu.max")).split()
    if len(words) != 2:
        legacy = _CGROUP / "cpu"
        words = [*_lines(legacy / "cpu.cfs_quota_us"), *_lines(legacy / "cpu.cfs_period_us")]
    if len(words) != 2 or not words[0].isdigit():  # "max" and "-1" mean no limit
        return None
    return max(1, int(words[0]) // int(words[1]))


def _container_room_bytes() -> int | None:
    """What a control group's memory limit leaves, or None without a limit."""
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit = "".join(_lines(_CGROUP / limit_name))
        used = "".join(_lines(_CGROUP / used_name))
        if limit.isdigit() and used.isdigit() and int(limit) < _NO_LIMIT:
            return max(0, int(limit) - int(used))
    return None


def _free_memory_bytes() -> int:
    return _meminfo("MemAvailable") or _pages_bytes("SC_AVPHYS_PAGES")


def _meminfo(name: str) -> int:
    for line in _lines(_MEMINFO):
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024  # the kernel's "kB" are KiB
    return 0


def _pages_bytes(name: str) -> int:
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0
