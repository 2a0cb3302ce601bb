from __future__ import annotations

import json
from pathlib import Path

import pytest

from medistill.core.errors import BundleError
from medistill.serve.inspecting import inspect_command
from tests.unit.bundle.handmade import document, gray_bundle, with_graph
from tests.unit.serve.serving import explaining_bundle

TRIAL = {
    "metric": {"name": "auroc", "change": -0.01, "low": None, "high": None},
    "sensitivity": {"ill": 0.0},
    "sensitivity_bound": 0.02,
    "agreement_bound": 0.99,
    "reference": "fp32",
    "ratio": 2.5,
    "memory_bytes": 90_000_000,
    "file_bytes": 1,
    "speeds": [
        {
            "threads": 1,
            "batch": 8,
            "p50_ms": 4.0,
            "p95_ms": 5.0,
            "p99_ms": 6.0,
            "images_per_second": 2000.0,
            "runs": 30,
        }
    ],
}


def test_words_for_a_reader(tmp_path: Path) -> None:
    said = inspect_command(explaining_bundle(tmp_path / "b"))
    for words in (
        "by-hand: single-label, 2 classes",
        "all 1 files verified",
        "ill, well",
        "graph fp32: fp32, onnxruntime, ONNX opset 18, dynamic batch",
        "4 parameters, 20 multiply-adds an image",
        "runs here by default",
        "none: the most probable class",
        "graph explain:",
        "research use only",
    ):
        assert words in said


def test_a_variant_with_its_trial_and_one_that_was_refused(tmp_path: Path) -> None:
    changes = with_graph(trial=TRIAL) | {"refused": {"int8": "its labels agree on 90 %"}}
    said = inspect_command(gray_bundle(tmp_path / "b", **changes))
    assert "2.50 times as fast as fp32 where it was exported, peak 90 MB" in said
    assert "ill: sensitivity +0.0000 (bound -0.02)" in said
    assert "1 thread, batch 8: p50 4.00 ms, p95 5.00 ms, p99 6.00 ms, 2000.0 images" in said
    assert "auroc      -0.0100" in said
    assert "not published, int8: its labels agree on 90 %" in said


@pytest.mark.parametrize(
    ("task", "classes", "labels", "thresholds", "words"),
    [
        ("multi-label", "AB", [1.2, 0.9], {}, "temperature 1.200 for A, 0.900 for B"),
        ("multi-label", "AB", [1.2, 0.9], {}, "thresholds none: each label from 0.5"),
        ("multi-label", "ABC", [], {"A": 0.6, "B": 0.4, "C": 0.3}, "A from 0.600, B from 0.400, C"),
        ("single-label", "AB", [], {"A": 0.6, "B": 0.4}, "thresholds A from 0.600, B from 0.400"),
        (
            "single-label",
            "ABC",
            [],
            {"A": 0.6, "B": 0.4, "C": 0.3},
            "A 0.600, B 0.400, C 0.300: the class whose probability is largest relative to its",
        ),
    ],
)
def test_calibration_and_operating_point_as_they_are_applied(
    tmp_path: Path,
    task: str,
    classes: str,
    labels: list[float],
    thresholds: dict[str, float],
    words: str,
) -> None:
    fitted = {"temperature": 1.0, "labels": labels}
    changes = with_graph(calibration=fitted, thresholds=thresholds)
    folder = gray_bundle(tmp_path / "b", **changes, task=task, classes=list(classes))
    assert words in inspect_command(folder)


def test_json_is_the_manifest(tmp_path: Path) -> None:
    said = json.loads(inspect_command(gray_bundle(tmp_path / "b"), as_json=True))
    assert said["classes"] == document(b"")["classes"]


def test_a_changed_bundle_is_not_described(tmp_path: Path) -> None:
    folder = gray_bundle(tmp_path / "b")
    (folder / "student.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match="has been changed"):
        inspect_command(folder)
