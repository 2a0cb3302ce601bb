from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from medistill.bundle.bundle import open_bundle
from medistill.serve.measuring import measure_apart
from tests.unit.bundle.handmade import gray_bundle


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))


def test_a_graph_is_measured_under_limits(tmp_path: Path) -> None:
    bundle = open_bundle(gray_bundle(tmp_path / "b"))
    graph = bundle.graph()
    found = measure_apart(bundle, graph, threads=1, memory_bytes=512 * 2**20, runs=5)
    assert found.problem is None
    assert [(speed.threads, speed.batch, speed.runs) for speed in found.speeds] == [
        (1, 1, 5),
        (1, 8, 5),
    ]
    assert all(0 < speed.p50_ms <= speed.p95_ms <= speed.p99_ms for speed in found.speeds)
    assert found.file_bytes == bundle.manifest.files["student.onnx"].size
    assert found.peak_memory_bytes is None or found.peak_memory_bytes < 512 * 2**20
    assert sum(found.kernels.values()) == pytest.approx(1, abs=1e-3)
    assert "Gemm" in found.kernels


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces it")
def test_a_graph_that_does_not_fit_says_so(tmp_path: Path) -> None:
    bundle = open_bundle(gray_bundle(tmp_path / "b"))
    found = measure_apart(bundle, bundle.graph(), threads=1, memory_bytes=2**20, runs=2)
    assert found.problem is not None
    assert re.fullmatch(
        r"it does not run under these limits \(--memory: libraries and weights alone hold \d+ MiB "
        r"of data, more than the 1 MiB allowed. Give more\)",
        found.problem,
    )
    assert found.speeds == ()
