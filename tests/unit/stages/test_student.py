"""What a student learns from, and that a finished one answers on the device of the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from medistill.methods.embedding import Embedding
from medistill.methods.guided import Guide, Guided
from medistill.methods.supervised import Supervised
from medistill.recipe.blocks import StudentPredistilBlock
from medistill.stages import student as stage
from medistill.stages import targets as asking
from medistill.stages.data import open_data
from medistill.stages.explained_models import ShownModel
from medistill.stages.explanation import explain
from medistill.stages.prediction import predict_rows
from medistill.stages.run import open_run
from medistill.stages.student import open_student, train_control, train_student
from medistill.stages.targets import make_targets
from medistill.stages.teacher import open_teacher
from tests.elsewhere import elsewhere


def test_a_student_answers_and_is_explained_on_the_device_of_the_run(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    rows = prepared.parts[0].evaluate[:5]
    network = open_student(context, prepared, 0, 0, "student")
    model = ShownModel(title="a", network=network)
    expected, shown = predict_rows(network, prepared, rows), explain(prepared, rows, {"a": model})
    with elsewhere() as there:
        monkeypatch.setattr(stage, "run_device", lambda: there)
        network = open_student(context, prepared, 0, 0, "student")
        assert {each.device for each in network.state_dict().values()} == {there}
        found = predict_rows(network, prepared, rows)
        again = explain(prepared, rows, {"a": ShownModel(title="a", network=network)})
    assert found == pytest.approx(expected, abs=1e-6)
    assert shown is not None
    assert again is not None
    assert again.values["images"] == shown.values["images"]


def test_a_guide_reaches_student_and_targets_and_not_the_control(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    guide = Guide(teacher_map="stage4")
    context = dataclasses.replace(context, recipe=dataclasses.replace(context.recipe, guide=guide))
    teacher = open_teacher(context, prepared, 0)
    taught: list[Any] = []
    monkeypatch.setattr(stage, "_train", lambda *given: taught.append(given[-1].method))
    train_student(context, prepared, 0, 0, teacher, None)
    train_control(context, prepared, 0, 0)
    assert taught == [Guided(method=context.recipe.method, guide=guide), Supervised()]
    asked: list[Any] = []
    monkeypatch.setattr(asking, "targets_of", lambda *given: asked.append(given[4]))
    make_targets(context, prepared, 0, teacher)
    assert asked == [context.recipe.method.needs | {"stage4"}]


def test_a_cache_holds_what_both_stages_of_the_student_read(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    first = Embedding(map_weight=1.0, teacher_map="stage3")
    before = StudentPredistilBlock(method=first, train=context.recipe.train)
    asked: list[Any] = []
    monkeypatch.setattr(asking, "targets_of", lambda *given: asked.append(given[4]))
    for mode in ("cached", "live"):
        targets = dataclasses.replace(context.recipe.targets, mode=mode)
        recipe = dataclasses.replace(context.recipe, predistil=before, targets=targets)
        changed = dataclasses.replace(context, recipe=recipe)
        teacher = open_teacher(changed, prepared, 0)
        make_targets(changed, prepared, 0, teacher)
        make_targets(changed, prepared, 0, teacher, method=before.method)
    both = context.recipe.method.needs | {"pooled", "stage3"}
    assert asked == [both, both, context.recipe.method.needs, {"pooled", "stage3"}]
