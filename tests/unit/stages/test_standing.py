"""A teacher that is no better than the control is named before students are trained."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medistill.stages import standing
from medistill.stages.context import SilentReporter
from medistill.stages.data import open_data
from medistill.stages.prediction import predict_rows
from medistill.stages.run import distill, open_run
from medistill.stages.standing import caution, network_scores, teacher_scores
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher


@pytest.mark.parametrize(("score", "named"), [(0.3, True), (1.01, False), (float("nan"), False)])
def test_it_is_named_unless_the_teacher_is_better(
    finished: Path, monkeypatch: pytest.MonkeyPatch, score: float, named: bool
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    monkeypatch.setattr(standing, "network_scores", lambda *_: {"auroc": 0.95, "loss": 1.0})
    monkeypatch.setattr(standing, "teacher_scores", lambda *_: {"auroc": score, "loss": 1.0})
    found = caution(context, prepared, 0, open_teacher(context, prepared, 0))
    assert (found is not None) == named
    if found:
        count = len(prepared.parts[0].select)
        assert f"on the {count} images of select the teacher's AUROC is {score:.3f}" in found
        assert "the control's 0.950" in found
        assert "teacher.model" in found


def test_scores_are_those_of_the_answers(finished: Path) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    rows = prepared.parts[0].select
    truth = prepared.labels[list(rows)].argmax(axis=1)
    network = open_student(context, prepared, 0, 0, "control")
    answers = predict_rows(network, prepared, rows)
    found = network_scores(network, prepared, rows)
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, answers[:, 1]))
    teacher = open_teacher(context, prepared, 0)
    members = [predict_rows(member, prepared, rows) for member in teacher.members]
    expected = roc_auc_score(truth, np.mean(members, axis=0)[:, 1])
    assert teacher_scores(teacher, prepared, rows)["auroc"] == pytest.approx(expected)


def test_it_is_said_before_targets_are_made_and_students_trained(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: Any = importlib.import_module("medistill.stages.run")
    order: list[str] = []

    class Heard(SilentReporter):
        def say(self, text: str) -> None:
            order.append(text)

    for name in ("fit_teacher", "train_control", "make_targets", "train_student"):
        monkeypatch.setattr(stages, name, lambda *_, name=name: order.append(name))
    monkeypatch.setattr(stages, "caution", lambda *_: "Caution: no better")
    distill(finished, reporter=Heard())
    *stages_and_words, ending = order
    assert stages_and_words == [
        "fit_teacher",
        "train_control",
        "Caution: no better",
        "make_targets",
        "train_student",
        "train_control",
    ]
    assert ending.startswith("Student and control are trained; ")
