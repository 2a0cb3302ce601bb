"""Teachers answer on the device of the run, with the weights that they were hashed with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from medistill.core.files import read_json
from medistill.methods.embedding import Embedding
from medistill.recipe import PredistilBlock
from medistill.stages import teacher as stage
from medistill.stages.data import open_data
from medistill.stages.prediction import predict_teacher
from medistill.stages.run import open_run
from medistill.stages.targets import teacher_precision
from medistill.stages.teacher import open_teacher
from tests.elsewhere import elsewhere


def test_a_teacher_answers_on_the_device_of_the_run_as_on_the_processor(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    rows = prepared.parts[0].evaluate[:5]
    expected = predict_teacher(open_teacher(context, prepared, 0), prepared, rows)
    with elsewhere() as there:
        monkeypatch.setattr(stage, "run_device", lambda: there)
        teacher = open_teacher(context, prepared, 0)
        assert {each.device for each in teacher.parameters()} == {there}
        assert teacher.device == there
        # bf16 is what the processor would be asked for.
        assert teacher_precision(context.recipe, teacher) == "float32"
        hashed = teacher.verify_unchanged()[1]
        found = predict_teacher(teacher, prepared, rows)
    assert hashed == read_json(finished / "teacher/manifest.json")["outputs"]["weights_hash"]
    assert found == pytest.approx(expected, abs=1e-6)


def test_who_teaches_the_teacher_is_asked_on_the_device_of_the_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = open_run(finished)
    block = context.recipe.teacher
    elder = PredistilBlock(
        model=block.model,
        weights=str(finished / "teacher/member-0.safetensors"),
        method=Embedding(),
        train=context.recipe.train,
    )
    block = dataclasses.replace(block, predistil=elder)
    context = dataclasses.replace(
        context, recipe=dataclasses.replace(context.recipe, teacher=block)
    )
    asked: list[torch.device] = []
    monkeypatch.setattr(
        stage, "train", lambda training, *_: asked.append(training.targets.teacher.device)
    )
    with elsewhere() as there:
        monkeypatch.setattr(stage, "run_device", lambda: there)
        stage._predistil(context, open_data(finished / "data"), [0, 1], tmp_path)
    assert asked == [there]
