from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from medistill.core.types import Task
from medistill.evaluate.decision_values import decision_values
from medistill.evaluate.decisions import Answers, Fitted
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.operating import Wish
from medistill.evaluate.pixel_sums import pixel_sums
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import statistics_of
from tests.unit.evaluate.examined_models import examined

PARTS = {
    "temperature",
    "refusals",
    "positive",
    "calibration",
    "operating",
    "sets",
    "selective",
    "decision_curve",
    "strange",
    "uncertainty",
}


def table_of(folds: list[Examined], task: Task) -> Table:
    """What the results are made from."""
    groups = [f"{n} {group}" for n, f in enumerate(folds) for group in f.evaluate.groups]
    number = np.repeat(np.arange(len(folds)), [len(f.evaluate.labels) for f in folds])
    chances = np.concatenate([fold.chances(task=task) for fold in folds])
    labels = np.concatenate([fold.evaluate.labels for fold in folds])
    shared = {"names": [str(n) for n in range(len(labels))], "groups": groups, "folds": number}
    if task != "segmentation":
        kind = LabelPredictions if task == "multi-label" else Predictions
        return kind(**shared, labels=labels, probabilities=chances)
    return MaskScores(
        **shared,
        present=np.ones((len(labels), 1)),
        overlaps=np.ones((len(labels), 1, 4)),
        pixels=np.stack([pixel_sums(c, y) for c, y in zip(chances, labels, strict=True)]),
    )


@pytest.mark.parametrize("task", ["single-label", "multi-label", "segmentation"])
def test_what_has_the_name_of_a_metric_is_that_metric(task: Task) -> None:
    folds = [examined(task=task), examined(task=task, skill=1.0)]
    rows = slice(None, 120)  # folds of unequal size, and a label that is too rare to count
    cut = Answers(
        logits=folds[1].evaluate.logits[rows],
        labels=folds[1].evaluate.labels[rows].copy(),
        groups=folds[1].evaluate.groups[rows],
    )
    if task == "multi-label":
        cut.labels[4:, 1] = 0
    folds[1] = replace(folds[1], evaluate=cut)
    table = table_of(folds, task)
    if task == "multi-label":
        assert table.counted == (0,)
    found = decision_values({"student": folds}, task=task, classes=["well", "ill"], word="patient")
    after = found["student"]["calibration"]["after"]
    results = statistics_of(table)
    for own, name in (("brier", "brier"), ("log_loss", "log_loss"), ("error", "calibration_error")):
        assert after[own] == pytest.approx(float(results[name].of(table)))


@pytest.mark.parametrize("task", ["single-label", "multi-label", "segmentation"])
def test_every_task_gives_every_part_or_says_why_without_nan(task: Task) -> None:
    folds = [examined(task=task), examined(task=task, skill=1.0)]
    found = decision_values(
        {"student": folds, "control": []}, task=task, classes=["well", "ill"], word="patient"
    )
    json.dumps(found, allow_nan=False)
    assert set(found) == {"student"}
    assert set(found["student"]) == PARTS
    before, after = (found["student"]["calibration"][key] for key in ("before", "after"))
    # The logits are three times too large.
    assert after["error"] < before["error"]
    assert after["brier"] < before["brier"]
    of = "dice" if task == "segmentation" else "accuracy"
    assert found["student"]["selective"]["of"] == of
    assert (found["student"]["uncertainty"] is None) == (task != "segmentation")
    assert (
        set(found["student"]["decision_curve"])
        == {
            "single-label": {"ill"},
            "multi-label": {"well", "ill"},
            "segmentation": set(),
        }[task]
    )
    if task == "segmentation":
        assert found["student"]["sets"]["reason"] == "pixels of one image are not independent"


def test_of_several_classes_the_named_one_has_points_and_comes_first() -> None:
    random = np.random.default_rng(0)
    asked = Answers(
        logits=random.normal(size=(40, 3)),
        labels=np.arange(40) % 3,
        groups=[str(n) for n in range(40)],
    )
    model = Examined(fitted=Fitted(), calibrate=asked, evaluate=asked)
    kind = {"task": "single-label", "classes": ["a", "b", "c"], "word": "patient"}
    found = decision_values({"student": [model]}, **kind)["student"]
    assert (found["operating"], found["positive"]) == ([], None)
    assert "thresholds" not in found["refusals"]
    assert list(found["decision_curve"]) == ["a", "b", "c"]
    wish = {"wish": Wish(rule="youden", positive="b")}
    for said in (wish, {"named": "b"}):
        found = decision_values({"student": [model]}, **kind, **said)["student"]
        assert {point["class"] for point in found["operating"]} == {"b"}
        assert found["positive"] == "b"
        assert list(found["decision_curve"]) == ["b", "a", "c"]
        assert [point["shipped"] for point in found["operating"]].count(True) == ("wish" in said)


def test_of_two_classes_the_curve_is_of_the_named_one() -> None:
    kind = {"task": "single-label", "classes": ["well", "ill"], "word": "patient"}
    for named, said in ((None, "ill"), ("well", "well")):
        found = decision_values({"student": [examined()]}, **kind, named=named)["student"]
        assert (list(found["decision_curve"]), found["positive"]) == ([said], said)
