from __future__ import annotations

from typing import Any

import pytest


def figure(estimate: float | None, reason: str | None = None) -> dict[str, Any]:
    given = estimate is not None and reason is None
    return {
        "estimate": estimate,
        "low": estimate - 0.05 if given else None,
        "high": estimate + 0.05 if given else None,
        "reason": reason,
        "undefined_resamples": 0,
    }


def difference(
    estimate: float, verdict: str = "undecided", p: float | None = 0.2
) -> dict[str, Any]:
    return {**figure(estimate), "p": p, "p_reason": None, "verdict": verdict}


def model(value: float, classes: list[str], values: list[float]) -> dict[str, Any]:
    grid = [0.0, 0.5, 1.0]
    return {
        "overall": {"auroc": figure(value), "accuracy": figure(value - 0.1),
                    "balanced_accuracy": figure(0.7), "calibration_error": figure(0.06)},
        "per_class": {c: {"sensitivity": figure(0.8), "class_auroc": figure(value)}
                      for c in classes},
        "seeds": {"auroc": {"values": values, "mean": value, "sd": 0.01}},
        "confusion": [[40, 10], [5, 45]],
        "calibration": {
            "bins": {"all": [{"low": 0.2, "high": 0.27, "images": 60, "probability": 0.23,
                              "frequency": 0.3},
                             {"low": 0.8, "high": 0.87, "images": 40, "probability": 0.83,
                              "frequency": 0.7}]},
            "noise_floor": 0.031,
        },
        "roc": {c: {"false_positive_rate": grid, "sensitivity": [0.2, 0.9, 1.0]} for c in classes},
        "precision_recall": {c: {"recall": grid, "precision": [1.0, 0.8, 0.5]} for c in classes},
    }  # fmt: skip


@pytest.fixture
def metrics() -> dict[str, Any]:
    """Content of metrics.json written by hand."""
    classes = ["healthy", "<b>ill</b> & $x$"]

    def known(title: str, better: str = "higher", per_class: bool = False) -> dict[str, Any]:
        return {"title": title, "better": better, "per_class": per_class, "pooled": False,
                "meaning": f"Meaning of {title}."}  # fmt: skip

    pair = {
        "overall": {
            "auroc": difference(0.041, "better", 0.0001),
            "accuracy": difference(-0.02, "worse", 0.012),
            "balanced_accuracy": difference(0.0),
            "calibration_error": difference(0.01, p=None),
        },
        "per_class": {
            c: {"sensitivity": difference(0.0), "class_auroc": difference(0.0)} for c in classes
        },
        "classical": {"mcnemar_p": 0.0321, "delong_p": None, "reason": "two classes"},
    }
    return {
        "schema": 2,
        "task": "single-label",
        "classes": classes,
        "group_word": "article",
        "caveats": ["patient leakage cannot be excluded"],
        "headline": "auroc",
        "counts": {"images": 100, "groups": 30, "folds": 2, "seeds": 2,
                   "images_per_class": dict.fromkeys(classes, 50),
                   "groups_per_class": dict.fromkeys(classes, 15),
                   "known_per_class": dict.fromkeys(classes, 100)},
        "statistics": {"level": 0.95, "resamples": 2000, "flips": 10000, "seed": 7,
                       "calibration_bins": 15},
        "metrics": {"auroc": known("AUROC"), "accuracy": known("Accuracy"),
                    "balanced_accuracy": known("Balanced accuracy"),
                    "calibration_error": known("Calibration error", "lower"),
                    "sensitivity": known("Sensitivity", per_class=True),
                    "class_auroc": known("AUROC against the rest", per_class=True)},
        "models": {"teacher": model(0.9, classes, [0.9]),
                   "student": model(0.87, classes, [0.87, 0.86]),
                   "control": model(0.83, classes, [0.83, 0.84])},
        "differences": {"student_minus_control": pair, "student_minus_teacher": pair},
        "method": None,
        "answer": {"opening": None, "for_file": "For this file, it changed by -0.020.",
                   "for_method": "For this method: not established.",
                   "standing": "The student's AUROC is 0.870.", "shipped": None,
                   "verdict": "better",
                   "full": "All of it."},
        "sizes": {"teacher": {"parameters": 4_650_000, "latency_ms": 30.0},
                  "student": {"parameters": 1_550_000, "latency_ms": 60.0, "members": 5}},
    }  # fmt: skip


HISTORY = """epoch,step,loss,term.soft,term.hard,lr,select.raw.auroc,select.ema.auroc
1,10,1.5,1.0,0.5,0.001,0.6,0.55
2,20,0.75,0.5,0.25,0.001,0.7,0.81
"""


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HISTORY)
    return path
