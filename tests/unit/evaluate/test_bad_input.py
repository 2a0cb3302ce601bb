"""What is too little or too odd to judge gets a sentence, in every task, and never a silent NaN."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.predictions import Predictions
from tests.unit.evaluate.label_tables import label_table, mask_table

QUICK: dict[str, Any] = {"group_word": "patient", "resamples": 50, "flips": 50}


def judged(student: Any, classes: list[str], **others: Any) -> dict[str, Any]:
    """The document; a NaN in it would not be JSON."""
    found = evaluate({"student": student, **others}, classes=classes, **QUICK)
    json.dumps(found, allow_nan=False)
    return found


def single(labels: np.ndarray, chance: np.ndarray, groups: int) -> Predictions:
    return Predictions(
        names=[f"i{n}" for n in range(len(labels))],
        groups=[f"g{n % groups}" for n in range(len(labels))],
        labels=labels,
        probabilities=np.stack([1 - chance, chance], axis=1),
    )


def without_interval(found: dict[str, Any]) -> list[str]:
    overall = found["models"]["student"]["overall"]
    return [value["reason"] for value in overall.values() if value["low"] is None]


def test_one_group_only() -> None:
    chance = np.linspace(0.1, 0.9, 20)
    found = judged(single(np.arange(20) % 2, chance, 1), ["a", "b"])
    assert set(without_interval(found)) == {"too few groups (1 patient)"}
    assert "too few groups (1 patient)" in found["answer"]["standing"]
    labels = judged(label_table(images=20, groups=1), ["a", "b", "c"])
    reason = "no label has ten groups with it and ten without, five of each in every fold"
    assert labels["models"]["student"]["overall"]["auroc"]["reason"] == reason
    masks = judged(mask_table(images=6, groups=1), ["background", "a", "b"])
    assert set(without_interval(masks)) == {"too few groups (1 patient)"}


def test_constant_predictions() -> None:
    labels = np.arange(40) % 2
    table = single(labels, np.full(40, 0.5), 40)
    found = judged(table, ["a", "b"], control=table, teacher=table)
    overall = found["models"]["student"]["overall"]
    assert overall["auroc"]["reason"] == "every resample gives the same value"
    assert found["answer"]["verdict"] in ("undecided", "unknown")
    flat = label_table()
    flat.probabilities[:] = 0.5
    assert judged(flat, ["a", "b", "c"])["models"]["student"]["overall"]["auroc"]["estimate"] == 0.5


def test_a_class_that_no_image_shows() -> None:
    chance = np.linspace(0.1, 0.9, 30)
    found = judged(single(np.zeros(30, int), chance, 30), ["a", "b"])
    assert found["models"]["student"]["overall"]["auroc"]["reason"] == "a class is absent"
    assert found["models"]["student"]["roc"]["b"] is None
    truth = label_table().labels.copy()
    truth[:, 2] = np.where(np.isnan(truth[:, 2]), np.nan, 0.0)
    some = label_table()
    absent = LabelPredictions(
        names=some.names, groups=some.groups, labels=truth, probabilities=some.probabilities
    )
    own = judged(absent, ["a", "b", "c"])["models"]["student"]["per_class"]["c"]
    assert own["class_auroc"]["reason"] == "the label has one answer only"
    table = mask_table()
    empty = MaskScores(
        names=table.names,
        groups=table.groups,
        present=np.zeros_like(table.present),
        overlaps=np.full_like(table.overlaps, np.nan),
        pixels=table.pixels,
    )
    dice = judged(empty, ["background", "a", "b"], control=empty)["models"]["student"]["overall"]
    assert dice["dice"]["reason"] == "neither the truth nor the model shows the class"


def test_labels_of_which_none_is_known() -> None:
    with pytest.raises(DataError, match="every label of every image is unknown"):
        LabelPredictions(
            names=["a"], groups=["1"], labels=[[np.nan, np.nan]], probabilities=[[0.1, 0.2]]
        )


def test_a_label_of_which_nothing_is_known() -> None:
    table = label_table()
    truth = table.labels.copy()
    truth[:, 2] = np.nan
    found = judged(
        LabelPredictions(
            names=table.names, groups=table.groups, labels=truth, probabilities=table.probabilities
        ),
        ["a", "b", "c"],
    )
    assert found["counts"]["known_per_class"]["c"] == 0
    assert found["models"]["student"]["per_class"]["c"]["class_auroc"]["estimate"] is None


def test_without_a_control_that_is_said() -> None:
    for table, classes in (
        (label_table(), ["a", "b", "c"]),
        (mask_table(), ["background", "a", "b"]),
    ):
        found = judged(table, classes)
        assert found["answer"]["for_file"].startswith("No control")
        assert found["differences"]["student_minus_control"] is None


def test_models_of_other_tasks_or_classes_are_refused() -> None:
    with pytest.raises(DataError, match="3 probabilities for 2 classes"):
        judged(label_table(), ["a", "b"])
    with pytest.raises(DataError, match="has other labels than"):
        judged(label_table(images=30), ["a", "b", "c"], control=mask_table())
