from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medistill.bundle.footprint import footprint
from tests.unit.bundle.handmade import linear_graph


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))


def taken(path: Path) -> int | None:
    return footprint([path], runtime="onnxruntime", precision="fp32", shape=(1, 4, 4), threads=1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_a_larger_graph_takes_more(tmp_path: Path) -> None:
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    small.write_bytes(linear_graph([[1.0], [0.0]], [0.0, 0.0]))
    # 8 M weights of 4 bytes.
    large.write_bytes(linear_graph([[1.0]] * 8_000_000, [0.0] * 8_000_000))
    first, second = taken(small), taken(large)
    assert first is not None
    assert second is not None
    assert 10 * 2**20 < first < second - 32 * 10**6


def test_a_graph_that_does_not_run_has_no_footprint(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"no graph")
    assert taken(tmp_path / "g.onnx") is None
