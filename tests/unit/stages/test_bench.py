from pathlib import Path

import pytest

from medistill.core.errors import BundleError, MedistillError, RunFolderError
from medistill.core.files import read_json
from medistill.stages.bench import bench
from tests.unit.bundle.handmade import gray_bundle


@pytest.fixture(autouse=True)
def _sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))


def test_a_run_is_measured_from_teacher_to_graph(finished: Path, tmp_path: Path) -> None:
    table = bench(finished, out=tmp_path / "bench", threads=1, runs=3)
    document = read_json(tmp_path / "bench" / "bench.json")
    assert document["notes"] == []
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["teacher", "student", "control", "student fp32"]
    assert rows["student"]["parameters"] < rows["teacher"]["parameters"]
    assert rows["student"]["parameters"] == rows["control"]["parameters"]
    graph, work = rows["student fp32"], rows["student"]["multiply_adds"]
    assert graph["multiply_adds"] == work
    seconds = graph["speeds"][0]["p50_ms"] / 1e3
    assert graph["flops_per_second"] == pytest.approx(2 * work / seconds)
    assert "| student fp32 |" in table
    assert "student fp32" in (tmp_path / "bench" / "bench.svg").read_text()


def test_a_bundle_alone_has_its_graphs_and_no_plot(tmp_path: Path) -> None:
    table = bench(gray_bundle(tmp_path / "b"), out=tmp_path / "bench", threads=1, runs=2)
    assert "| student fp32 | 4 | 0.0 |" in table
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"bench.json", "bench.md"}


def test_impossible_wishes(tmp_path: Path) -> None:
    with pytest.raises(MedistillError, match="10000 threads are more than"):
        bench(tmp_path, out=tmp_path / "o", threads=10_000)
    (tmp_path / "recipe.yaml").write_text("name: a")
    with pytest.raises(RunFolderError, match="has no bundle yet. 'medistill export "):
        bench(tmp_path, out=tmp_path / "o")
    with pytest.raises(BundleError):
        bench(tmp_path / "none", out=tmp_path / "o")
