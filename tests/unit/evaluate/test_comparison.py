from __future__ import annotations

import json

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.metrics import METRICS
from medistill.evaluate.predictions import Predictions
from tests.unit.evaluate.label_tables import label_table

QUICK = {"resamples": 200, "flips": 200, "group_word": "article"}


def roles(simulate, *, seeds=1, **rest):
    size = {"images": 200, "groups": 50, **rest}
    return {
        "teacher": simulate(**size, skill=2.0, model=1),
        "student": [simulate(**size, skill=1.8, model=10 + s) for s in range(seeds)],
        "control": [simulate(**size, skill=0.6, model=20 + s) for s in range(seeds)],
    }


def replace_chances(table, chances):
    shared = {"names": table.names, "groups": table.groups, "labels": table.labels}
    return Predictions(**shared, probabilities=0.8 * chances + 0.1)


def test_holds_every_figure_as_json(simulate):
    sizes = {"teacher": {"latency_ms": 3.0}, "student": {"latency_ms": 1.0, "parameters": 5}}
    caveats = ["patient leakage cannot be excluded"]
    found = evaluate(
        roles(simulate, seeds=5, folds=2),
        classes=["healthy", "ill"],
        caveats=caveats,
        sizes=sizes,
        **QUICK,
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["schema"] == 2
    assert found["counts"]["images"] == 200
    assert found["counts"]["folds"] == 2
    assert found["counts"]["seeds"] == 5
    assert sum(found["counts"]["images_per_class"].values()) == 200
    assert found["sizes"] == sizes
    for model in found["models"].values():
        assert set(model["overall"]) | set(model["per_class"]["ill"]) == set(METRICS)
        assert len(model["seeds"]["auroc"]["values"]) in (1, 5)
        assert np.sum(model["confusion"]) == 200
        assert len(model["roc"]["ill"]["sensitivity"]) == 201
    pair = found["differences"]["student_minus_control"]
    assert pair["overall"]["auroc"]["verdict"] == "better"
    assert set(pair["per_class"]) == {"healthy", "ill"}
    assert found["method"]["auroc"]["seeds"] == 5
    answer = found["answer"]
    assert answer["verdict"] == "better"
    assert answer["opening"] is None
    assert answer["for_file"].startswith("For the 2 students of this seed, one a fold, distilling")
    assert answer["full"].endswith("Patient leakage cannot be excluded.")


def test_of_folds_the_shipped_file_is_measured_on_its_own_images(simulate):
    """The second fold's student says nothing of the file that leaves."""
    tables = roles(simulate, folds=2)
    own = tables["student"][0].only(tables["student"][0].fold_rows[0])
    alone = evaluate({"student": own}, classes=["a", "b"], **QUICK)
    found = evaluate(tables, classes=["a", "b"], **QUICK)["answer"]
    assert alone["answer"]["shipped"] is None
    figures = alone["answer"]["standing"].removeprefix("The student's AUROC is ").split(" on ")[0]
    assert found["shipped"] == (
        f"The shipped file is that of the first of 2 folds; on its own {len(own)} evaluation "
        f"images its AUROC is {figures}."
    )
    assert found["shipped"] in found["full"]
    assert len(own) < 200


def test_of_folds_harm_is_done_by_the_students_of_all(simulate):
    tables = roles(simulate, folds=2, groups=100)
    tables["student"] = tables["control"]
    worse = evaluate(tables, classes=["a", "b"], **QUICK)["answer"]["harm"]
    assert worse[0].startswith("The 2 students of this seed, one a fold, serve the class '")
    assert "For this file" not in " ".join(worse)


def test_a_class_that_the_student_never_names_is_said_first(simulate):
    table = simulate(images=80, groups=80)
    answers = {"teacher": np.eye(2)[table.labels], "student": np.eye(2)[0 * table.labels]}
    tables = {role: replace_chances(table, chances) for role, chances in answers.items()}
    found = evaluate(tables, classes=["well", "ill"], left_out=["visit (14 values)"], **QUICK)
    answer = found["answer"]
    assert answer["harm"][0].startswith(
        "The student serves the class 'ill' worse than the teacher: sensitivity"
    )
    assert answer["no_harm"][-1].endswith("not tested for harm: visit (14 values).")
    assert "visit (14 values)" in answer["full"]


def test_same_seed_same_figures(simulate):
    tables = roles(simulate)
    first = evaluate(tables, classes=["a", "b"], **QUICK)
    assert evaluate(tables, classes=["a", "b"], **QUICK) == first
    other = evaluate(tables, classes=["a", "b"], seed=1, **QUICK)
    auroc, other_auroc = (f["models"]["student"]["overall"]["auroc"] for f in (first, other))
    assert auroc["estimate"] == other_auroc["estimate"]
    assert auroc["low"] != other_auroc["low"]


def test_the_student_alone(simulate):
    student = roles(simulate)["student"]
    found = evaluate({"student": student}, classes=["a", "b"], **QUICK)
    assert found["models"]["teacher"] is None
    assert found["models"]["control"] is None
    assert found["differences"] == {"student_minus_control": None, "student_minus_teacher": None}
    assert found["method"] is None
    assert found["answer"]["for_file"].startswith("No control")
    json.dumps(found, allow_nan=False)


def test_one_class_only_gives_reasons_instead_of_nan(simulate):
    tables = roles(simulate)
    for table in (tables["teacher"], *tables["student"], *tables["control"]):
        table.labels[:] = 0
    found = evaluate(tables, classes=["a", "b"], **QUICK)
    json.dumps(found, allow_nan=False)
    auroc = found["models"]["student"]["overall"]["auroc"]
    assert (auroc["estimate"], auroc["reason"]) == (None, "a class is absent")
    assert found["models"]["student"]["roc"]["b"] is None
    assert "AUROC has no value; a class is absent" in found["answer"]["for_file"]
    assert found["models"]["student"]["overall"]["accuracy"]["low"] is not None


def test_opens_with_a_good_quick_teacher(simulate):
    sizes = {"teacher": {"latency_ms": 1.0}, "student": {"latency_ms": 2.0}}
    found = evaluate(roles(simulate), classes=["a", "b"], sizes=sizes, **QUICK)
    assert found["answer"]["opening"].endswith(": use the teacher.")
    assert found["answer"]["full"].startswith(found["answer"]["opening"])


def test_another_headline(simulate):
    found = evaluate(roles(simulate), classes=["a", "b"], headline="accuracy", **QUICK)
    assert "raised accuracy by" in found["answer"]["for_file"]


def test_refuses_models_of_other_images_or_classes(simulate):
    tables = roles(simulate)
    tables["control"] = [simulate(images=100, groups=50)]
    with pytest.raises(DataError, match="control 0: was evaluated on other images than student 0"):
        evaluate(tables, classes=["a", "b"], **QUICK)
    tables["control"] = [simulate(images=200, groups=50, classes=3)]
    with pytest.raises(DataError, match="control 0: 3 probabilities for 2 classes"):
        evaluate(tables, classes=["a", "b"], **QUICK)
    with pytest.raises(DataError, match="there is no student"):
        evaluate({"teacher": tables["teacher"]}, classes=["a", "b"], **QUICK)


def test_labels_that_no_mean_is_over_are_named_with_the_answer():
    """The third label of the table is rare; of the first two alone there is nothing to say."""
    table = label_table()
    found = evaluate({"student": table}, classes=["oedema", "mass", "hernia"], **QUICK)
    (caveat,) = found["caveats"]
    assert caveat.startswith("Means over labels are of 2 of 3;")
    assert caveat.endswith(": hernia.")
    assert caveat in found["answer"]["full"]


def test_where_every_label_counts_nothing_is_said_of_it(simulate):
    found = evaluate(roles(simulate), classes=["healthy", "ill"], **QUICK)
    assert found["caveats"] == []
