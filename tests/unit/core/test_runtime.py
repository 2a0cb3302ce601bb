"""The machine, read from files that Linux lays out; false or 0 where they say nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from medistill.core import runtime

GIB = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: no processor, memory or control group is described."""
    monkeypatch.setattr(runtime, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(runtime, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(runtime, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu sse avx2 avx512f avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags\t\t: fpu sse avx avx2 f16c avx512f", False),
        ("model name\t: a bf16 dream", False),
        ("", False),
    ],
)
def test_fast_bf16_is_what_the_flags_say(system: Path, line: str, expected: bool) -> None:
    (system / "cpuinfo").write_text(f"processor\t: 0\n{line}\n")
    assert runtime.has_fast_bf16() is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("vendor_id\t: GenuineIntel", True), ("vendor_id\t: AuthenticAMD", False), ("", False)],
)
def test_the_processors_maker_is_what_the_system_says(
    system: Path, said: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.processor", lambda: "")
    (system / "cpuinfo").write_text(f"processor\t: 0\n{said}\nmodel name\t: GenuineIntel?\n")
    assert runtime.is_intel() is expected


def test_without_a_list_of_processors_the_platform_names_the_maker(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, expected in (("Intel64 Family 6, GenuineIntel", True), ("AuthenticAMD", False)):
        monkeypatch.setattr("platform.processor", lambda name=name: name)
        assert runtime.is_intel() is expected


def test_nothing_known_is_no_bf16_and_no_memory(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert not runtime.has_fast_bf16()
    assert runtime.available_memory_bytes() == 0
    assert runtime.cpu_threads() == 8


@pytest.mark.parametrize(
    ("quota", "threads"),
    [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)],
)
def test_threads_respect_a_containers_quota(system: Path, quota: str, threads: int) -> None:
    (system / "cpu.max").write_text(f"{quota}\n")
    assert runtime.cpu_threads() == threads


def test_threads_respect_the_older_quota_files(system: Path) -> None:
    (system / "cpu").mkdir()
    (system / "cpu/cpu.cfs_quota_us").write_text("300000\n")
    (system / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert runtime.cpu_threads() == 3
    (system / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert runtime.cpu_threads() == 8


def test_memory_is_the_smaller_of_machine_and_container(system: Path) -> None:
    (system / "meminfo").write_text(f"MemTotal: {GIB // 32} kB\nMemAvailable: {GIB // 128} kB\n")
    assert runtime.available_memory_bytes() == 8 * GIB
    (system / "memory.max").write_text("max\n")
    (system / "memory.current").write_text("4096\n")
    assert runtime.available_memory_bytes() == 8 * GIB
    (system / "memory.max").write_text(f"{3 * GIB}\n")
    (system / "memory.current").write_text(f"{GIB}\n")
    assert runtime.available_memory_bytes() == 2 * GIB


def test_memory_of_an_older_container_without_a_limit(system: Path) -> None:
    (system / "meminfo").write_text("MemAvailable: 1024 kB\n")
    (system / "memory").mkdir()
    (system / "memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    (system / "memory/memory.usage_in_bytes").write_text("4096\n")
    assert runtime.available_memory_bytes() == 1 << 20


def test_summary_names_the_processor_and_is_json(system: Path) -> None:
    (system / "cpuinfo").write_text("model name\t: Example 3000 @ 2 GHz\n")
    (system / "meminfo").write_text("MemTotal: 2048 kB\n")
    summary = runtime.hardware_summary()
    assert summary["processor"] == "Example 3000 @ 2 GHz"
    assert summary["memory_bytes"] == 2 << 20
    assert set(summary) == {"processor", "cores", "threads", "memory_bytes", "system", "python"}
    assert json.loads(json.dumps(summary)) == summary


def test_this_machine_is_plausible() -> None:
    assert 1 <= runtime.cpu_threads() <= (os.cpu_count() or 1)
    assert runtime.available_memory_bytes() > 1 << 26
