from __future__ import annotations

from pathlib import Path
from typing import Any

from medistill.report.gate_page import show_in_report, write_gate_page
from medistill.report.html import write_report

SPEED = {"p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 4.0, "images_per_second": 500.0, "runs": 30}


def variant(name: str, refusal: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "published": refusal is None,
        "refusal": refusal,
        "parity": {"largest_difference": 0.0213, "agreement": 0.995, "images": 200, "bound": 1.0},
        "batch_difference": 0.00155,
        "trial": {
            "metric": {"name": "auroc", "change": -0.0125, "low": -0.03, "high": 0.005},
            "sensitivity": {"ill": -0.01, "well": 0.0},
            "ratio": 2.5,
            "speeds": [{"threads": n, "batch": b, **SPEED} for n in (1, 2) for b in (1, 8)],
            "memory_bytes": 90_000_000,
            "file_bytes": 1_234_567,
        },
    }


def found(*variants: dict[str, Any]) -> dict[str, Any]:
    return {
        "hardware": {"processor": "Some <CPU>", "threads": 2},
        "images": 200,
        "variants": list(variants),
    }


def page(folder: Path, *variants: dict[str, Any]) -> str:
    write_gate_page(folder / "p.html", found(*variants))
    return (folder / "p.html").read_text(encoding="utf-8")


def test_who_left_who_did_not_and_why(tmp_path: Path) -> None:
    unmade = {**variant("int4", "it cannot be made"), "parity": None, "trial": None}
    text = page(tmp_path, variant("fp32"), variant("int8", "its labels agree on 90 %"), unmade)
    for words in (
        "Not published, int8: its labels agree on 90 %.",
        "Not published, int4: it cannot be made.",
        "Some &lt;CPU&gt;",
        "99.50%",
        "0.021",
        "0.0015",
        "Predicts unless another is asked for: fp32.",
        "2 threads, batch 8",
        "1 thread, batch 1",
        ">2.50<",
        ">90<",
        ">1.23<",
        "3.00, 4.00",
        "500.0 images/s",
    ):
        assert words in text, words
    assert "<script" not in text
    assert "://" not in text


def test_nothing_refused(tmp_path: Path) -> None:
    assert "Every variant was published." in page(tmp_path, variant("fp32"))


def test_the_report_of_the_evaluation_says_why_and_forgets_earlier_exports(
    metrics: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "evaluation").mkdir()
    report = write_report(tmp_path / "evaluation", metrics)
    plain, page = report.read_text(encoding="utf-8"), tmp_path / "gate/report.html"
    assert "#exported" not in plain
    slow = variant("fp16", "it runs 0.9 times as fast as fp32 & is <slow>")
    show_in_report(report, page, found(variant("fp32"), slow))
    text = report.read_text(encoding="utf-8")
    assert "Not published, fp16: it runs 0.9 times as fast as fp32 &amp; is &lt;slow&gt;." in text
    assert text.count('<section id="exported"') == text.count('href="#exported"') == 1
    assert 'href="../gate/report.html"' in text
    show_in_report(report, page, found(variant("fp32"), variant("int8")))
    text = report.read_text(encoding="utf-8")
    assert "fp16" not in text
    assert "Every variant was published." in text
    assert text.count('<section id="exported"') == text.count('href="#exported"') == 1
    assert len(text) > len(plain)
