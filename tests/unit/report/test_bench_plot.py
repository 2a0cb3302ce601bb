from __future__ import annotations

from medistill.report.bench_plot import bench_plot


def test_every_point_is_named_and_the_text_is_stable() -> None:
    points = {"teacher": (100.0, 0.9), "student int8": (5.0, 0.88)}
    first, second = (bench_plot(points, metric="AUROC") for _ in range(2))
    assert first == second
    assert first.lstrip().startswith("<?xml")
    for words in ("teacher", "student int8", "AUROC"):
        assert f">{words}<" in first
