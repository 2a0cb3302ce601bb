from __future__ import annotations

from typing import Any

import pytest

from medistill.core.types import Task
from medistill.evaluate.decision_values import decision_values
from medistill.report import decision_tables, flow_table
from medistill.report.tables import Cell
from tests.unit.evaluate.examined_models import examined


@pytest.fixture
def decided(metrics: dict[str, Any]) -> dict[str, Any]:
    return with_decisions(metrics, count=200)


def with_decisions(
    metrics: dict[str, Any], *, count: int, task: Task = "single-label"
) -> dict[str, Any]:
    models = {"student": [examined(count=count, task=task)]}
    return {
        **metrics,
        "counts": {**metrics["counts"], "folds": 1},
        "decisions": decision_values(models, task=task, classes=["well", "ill"], word="patient"),
    }


def test_every_table_holds_its_figures(decided: dict[str, Any]) -> None:
    student = decided["decisions"]["student"]
    calibration = decision_tables.calibration(decided)
    assert calibration is not None
    assert calibration.columns == ("Student",)
    assert calibration.rows[0][1][0].value == f"{student['calibration']['after']['error']:.3f}"
    assert calibration.rows[0][1][0].interval.startswith("before 0.")
    (points,) = decision_tables.operating(decided)
    assert [title for title, _ in points.rows] == [
        "ill: sensitivity of at least 90%",
        "ill: specificity of at least 90%",
        "ill: largest sensitivity + specificity (Youden)",
    ]
    assert points.caption.endswith("evaluation part; as shipped it says the most probable class")
    counts = student["operating"][0]["confusion"]
    assert points.rows[0][1][-1].value.startswith(f"{counts['hits']}, {counts['misses']}")
    sets = decision_tables.sets(decided)
    assert sets is not None
    assert [title for title, _ in sets.rows][:2] == [
        "Truth in the set, well",
        "Truth in the set, ill",
    ]
    selective = decision_tables.selective(decided)
    assert selective is not None
    assert selective.rows[0][0] == "Surest 100%"
    assert decision_tables.strange(decided) is not None


def test_of_several_classes_it_is_said_what_a_threshold_cuts(decided: dict[str, Any]) -> None:
    for point in decided["decisions"]["student"]["operating"]:
        point["shipped"] = True
    (two,) = decision_tables.operating(decided)
    (three,) = decision_tables.operating({**decided, "classes": ["well", "ill", "other"]})
    assert two.caption.endswith("counted on the evaluation part")
    assert three.caption == (
        f"{two.caption}; a threshold is of p / (p + the largest probability of the other classes)"
    )


def test_thresholds_that_differ_look_different(decided: dict[str, Any]) -> None:
    points = decided["decisions"]["student"]["operating"]
    for point, threshold in zip(points, (0.52184, 0.52193, 0.52193), strict=True):
        point["threshold"] = threshold
    shown = [cells[0].value for _, cells in decision_tables.operating(decided)[0].rows]
    assert shown == ["0.5218", "0.5219", "0.5219"]
    points[0]["threshold"] = 0.7
    shown = [cells[0].value for _, cells in decision_tables.operating(decided)[0].rows]
    assert shown == ["0.700", "0.522", "0.522"]


def test_that_thresholds_of_folds_are_means_is_said(decided: dict[str, Any]) -> None:
    folds = {**decided, "counts": {**decided["counts"], "folds": 5}}
    assert "; thresholds are means over the folds" in decision_tables.operating(folds)[0].caption
    assert "folds" not in decision_tables.operating(decided)[0].caption


def test_another_set_is_not_called_a_part_and_names_what_was_left_out(
    decided: dict[str, Any],
) -> None:
    flow = {
        "external": True,
        "listed": 304,
        "stored": 300,
        "unreadable": [{"name": f"{n}.png", "reason": "is empty"} for n in range(4)],
    }
    metrics = {**decided, "flow": flow}
    (points,) = decision_tables.operating(metrics)
    assert points.caption == (
        "Student: thresholds from the model's own calibration part, counted on the other set; as "
        "shipped it says the most probable class"
    )
    assert flow_table.left_out(metrics) == [
        "4 of 304 listed images could not be read and were left out.",
        "4 of them: is empty (0.png, 1.png, 2.png and 1 more).",
    ]


def test_what_was_refused_is_said(metrics: dict[str, Any]) -> None:
    few = with_decisions(metrics, count=8)
    assert decision_tables.sets(few) is None
    assert decision_tables.strange(few) is None
    assert decision_tables.operating(few) == []
    calibration = decision_tables.calibration(few)
    assert calibration is not None
    assert calibration.rows[-1] == ("Temperature", (Cell(value="1.00", note="not fitted"),))


def test_labels_and_masks_have_their_tables_too(metrics: dict[str, Any]) -> None:
    labels = with_decisions(metrics, count=200, task="multi-label")
    sets = decision_tables.sets(labels)
    assert sets is not None
    assert sets.rows[0][0] == "Truth in the set, well present"
    masks = with_decisions(metrics, count=30, task="segmentation")
    kept = decision_tables.selective(masks)
    assert kept is not None
    assert kept.caption.startswith("Mean Dice of the foreground")
    unsure = decision_tables.uncertainty(masks)
    assert unsure is not None
    assert float(unsure.rows[0][1][0].value) > 0.5
    assert decision_tables.uncertainty(labels) is None
    assert decision_tables.calibration(masks) is not None


def test_without_decisions_there_are_no_tables(metrics: dict[str, Any]) -> None:
    assert decision_tables.calibration(metrics) is None


def point(estimate: float, low: float | None, high: float | None, **other: Any) -> dict[str, Any]:
    rate = {"estimate": estimate, "low": low, "high": high, "reason": None}
    counts = {"hits": 48, "misses": 14, "false_alarms": 72, "rejections": 7}
    rates = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value")
    head = {"class": "nodule", "shipped": True, "threshold": 0.44, "confusion": counts}
    return {**head, **dict.fromkeys(rates, rate), **other}


@pytest.mark.parametrize(
    ("rule", "wished", "high", "missed"),
    [
        ("sensitivity", 0.9, 0.859, "sensitivity"),
        ("specificity", 0.9, 0.859, "specificity"),
        ("sensitivity", 0.9, 0.9, None),
        ("sensitivity", 0.9, None, None),
        ("youden", None, 0.859, None),
        ("cost", 5.0, 0.859, None),
    ],
)
def test_a_missed_promise_of_an_operating_point_is_remarked(
    decided: dict[str, Any], rule: str, wished: float | None, high: float | None, missed: str | None
) -> None:
    low = None if high is None else 0.659
    given = point(0.774, low, high, rule=rule, wished=wished)
    decided["decisions"]["student"]["operating"] = [given]
    (grid,) = decision_tables.operating(decided)
    notes = dict(zip(grid.columns, [cell.note for cell in grid.rows[0][1]], strict=True))
    marked = {name.lower() for name, note in notes.items() if note}
    assert marked == ({missed} if missed else set())
    if missed:
        assert notes[missed.capitalize()] == "below the promised 90%"


def test_a_missed_promise_of_the_prediction_sets_is_remarked(decided: dict[str, Any]) -> None:
    coverage = decided["decisions"]["student"]["sets"]["coverage"]
    coverage["well"] |= {"estimate": 0.774, "low": 0.659, "high": 0.859}
    coverage["ill"] |= {"estimate": 0.89, "low": 0.85, "high": 0.92}
    sets = decision_tables.sets(decided)
    assert sets is not None
    notes = {title: cells[0].note for title, cells in sets.rows}
    assert notes["Truth in the set, well"] == "below the promised 90%"
    assert not any(note for title, note in notes.items() if not title.endswith("well"))
