from __future__ import annotations

import json

import pytest

from medistill.core.types import Task
from medistill.evaluate.decision_values import decision_values
from tests.unit.evaluate.examined_models import examined

PARTS = {
    "temperature",
    "refusals",
    "calibration",
    "operating",
    "sets",
    "selective",
    "decision_curve",
    "strange",
    "uncertainty",
}


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
