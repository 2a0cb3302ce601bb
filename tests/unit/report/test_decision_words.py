from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medistill.evaluate.decision_values import decision_values
from medistill.report.decision_words import ANY, refusals, uncalibrated, unnamed
from medistill.report.html import write_report
from tests.unit.evaluate.examined_models import examined
from tests.unit.report.task_pages import task_metrics

REASON = "no temperature from 0.05 to 20 is best"


def models(
    task: str = "single-label", operating: tuple[dict[str, str], ...] = (), **roles: Any
) -> dict[str, Any]:
    """What of metrics.json is asked, with temperatures and refusals of each role."""
    found = {
        role: {"temperature": values, "refusals": dict(refused), "operating": operating}
        for role, (values, refused) in roles.items()
    }
    return {"task": task, "decisions": found}


NOT = {"calibration": REASON}


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (models(teacher=([1.0], NOT), student=([1.0], NOT)), ANY),
        (models(teacher=([1.3], {}), student=([1.0], {})), ""),
        (models(teacher=([1.0], NOT), student=([1.4], {})), "the teacher"),
        (
            models(teacher=([1.0], NOT), student=([1.0], NOT), control=([2.0], {})),
            "the teacher and the student",
        ),
        (models(student=([1.0, 1.2, 1.0], NOT)), "the student in 2 of 3 folds"),
        (models(student=([1.0, 1.0], NOT)), ANY),
        (
            models(
                "multi-label",
                teacher=([1.0, 1.0, 0.5], {"calibration.a": REASON, "calibration.b": REASON}),
                student=([0.8, 0.7, 1.0], {"calibration.c": REASON, "thresholds.c": "too few"}),
                control=([0.8, 0.7, 0.9], {}),
            ),
            "the teacher's a and b and the student's c",
        ),
        (models("multi-label", student=([1.0], {"calibration.a": REASON})), ANY),
        (models("multi-label", student=([1.0], NOT)), ANY),
        (
            models(
                "multi-label",
                teacher=([1.0, 0.5], {"calibration.a": REASON}),
                student=([1.0, 0.6], {"calibration.a": REASON}),
            ),
            "any model's a",
        ),
        (
            models("multi-label", student=([1.0, 0.6], {"calibration.a": REASON})),
            "the student's a",
        ),
        ({"task": "single-label", "decisions": {}}, ""),
    ],
)
def test_what_has_no_temperature_is_named(metrics: dict[str, Any], said: str) -> None:
    assert uncalibrated(metrics) == said


def test_each_reason_stands_under_its_heading_with_its_models() -> None:
    few = {"class": "rare", "reason": "too few groups (2)"}
    found = refusals(
        models(
            "multi-label",
            (few, {"class": "other", "reason": "no threshold reaches it"}),
            teacher=([1.0], {"trust": "no spread", **NOT}),
            student=([1.0], {"thresholds.rare": few["reason"], **NOT}),
        )
    )
    assert found == {
        "calibration": [f"Temperature: {REASON}."],
        "points": [
            "Threshold, rare: too few groups (2).",
            "Threshold, other: no threshold reaches it.",
        ],
        "strange": ["Trust gate (teacher): no spread."],
    }


def test_few_groups_and_masks_are_refused_with_their_reasons() -> None:
    few = {"student": [examined(count=8)]}
    values = decision_values(few, task="single-label", classes=["well", "ill"], word="patient")
    found = refusals({"decisions": values})
    kinds = {heading: [text.split(":")[0] for text in said] for heading, said in found.items()}
    assert kinds == {
        "calibration": ["Temperature"],
        "points": ["Threshold, ill"],
        "strange": ["Prediction sets", "Trust gate"],
    }
    assert all("too few groups" in text for said in found.values() for text in said)
    masks = refusals(task_metrics("segmentation"))
    assert masks["points"] == [
        "Threshold: a mask takes the most probable class of each pixel.",
        "Decision curve: a mask is not one decision.",
    ]
    assert refusals({"decisions": {}}) == {"calibration": [], "points": [], "strange": []}


def test_of_several_classes_it_is_said_how_to_get_operating_points() -> None:
    named = {"classes": ["a", "b", "c"], **models(student=([1.0], {}))}
    said = unnamed(named)
    assert said.startswith("With 3 classes an operating point is of one of them against the others")
    assert "decide.positive=CLASS" in said
    assert said.endswith("predictive values.")
    assert unnamed({**named, "flow": {"external": True}}).endswith("; then evaluate again.")
    named["decisions"]["student"]["positive"] = "b"
    assert unnamed(named) == ""
    for other in ({"classes": ["a", "b"]}, {"task": "multi-label"}, {"decisions": {}}):
        named = {"classes": ["a", "b", "c"], **models(student=([1.0], {})), **other}
        assert unnamed(named) == ""


def test_how_to_get_operating_points_stands_under_their_heading(tmp_path: Path) -> None:
    metrics = task_metrics("single-label")
    page = write_report(tmp_path, metrics).read_text(encoding="utf-8")
    assert "decide.positive" not in page
    for model in metrics["decisions"].values():
        model.update(operating=[], positive=None)
    for model in metrics["models"].values():
        model["confusion"] = None
    metrics.update(classes=[*metrics["classes"], "other"], flow={})
    page = write_report(tmp_path, metrics).read_text(encoding="utf-8")
    section = page[page.index('id="points"') : page.index('id="strange"')]
    assert "<p>With 3 classes an operating point" in section


@pytest.mark.parametrize(
    ("refused", "said", "unsaid"),
    [
        (
            ("teacher", "student", "control"),
            "No temperature could be fitted on the calibration part, which is disjoint",
            "One temperature was fitted",
        ),
        (
            ("teacher",),
            "None could be fitted for the teacher: those probabilities are as the model gives them",
            "and every probability in this report is calibrated",
        ),
        ((), "every probability in this report is calibrated", "could be fitted"),
    ],
)
def test_the_page_claims_no_calibration_that_was_refused(
    tmp_path: Path, refused: tuple[str, ...], said: str, unsaid: str
) -> None:
    metrics = task_metrics("single-label")
    for role in refused:
        metrics["decisions"][role]["temperature"] = [1.0]
        metrics["decisions"][role]["refusals"] = NOT
    page = write_report(tmp_path, metrics).read_text(encoding="utf-8")
    section = page[page.index('id="calibration"') : page.index('id="points"')]
    assert said in section
    assert unsaid not in page
    assert (f"{REASON}.</p>" in section) == bool(refused)
