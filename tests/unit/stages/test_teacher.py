"""A teacher is made again when what it is fitted with has changed, and answers on one device."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from medistill.core.files import read_json
from medistill.core.run_folder import RunFolder
from medistill.methods.embedding import Embedding
from medistill.recipe import PredistilBlock
from medistill.stages import teacher as stage
from medistill.stages import teacher_base as base
from medistill.stages.context import Context
from medistill.stages.data import open_data
from medistill.stages.prediction import predict_teacher
from medistill.stages.run import open_run, teach
from medistill.stages.targets import teacher_precision
from medistill.stages.teacher import open_teacher
from medistill.teacher.frozen import FrozenTeacher
from tests.elsewhere import elsewhere

TINY = (
    "data.path=phantom:count=60,size=32,task=lesions",
    "data.folds=1",
    "data.shares={select: 0.1, calibrate: 0.25, evaluate: 0.3}",
    "data.stored_size=32",
    "data.workers=0",
    "views.count=1",
    "student={name: test_efficientnet, image_size: 32}",
)
FIT = (
    "teacher.model={name: test_efficientnet, image_size: 32}",
    "teacher.weights=null",
    "teacher.probe=null",
    "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3}",
)
PROBE = (
    "teacher.model={name: tf_efficientnet_lite0, image_size: 32}",
    "teacher.probe={views: 1, penalties: [0.1]}",
)


def taught(run: Path, *changes: str) -> dict[str, Any]:
    teach("rms-net-small", out=run, overrides=(*TINY, *changes))
    return dict(read_json(run / "teacher/manifest.json"))


def test_the_loss_that_a_teacher_is_fitted_with_is_an_input(tmp_path: Path) -> None:
    first = taught(tmp_path, *FIT, "method.focus=2.0")
    other = taught(tmp_path, *FIT, "method.focus=0.0")
    assert (first["inputs"]["method"]["focus"], other["inputs"]["method"]["focus"]) == (2.0, 0.0)
    assert first["outputs"]["weights_hash"] != other["outputs"]["weights_hash"]
    # What only the student's loss has leaves the teacher alone.
    assert taught(tmp_path, *FIT, "method.focus=0.0", "method.similarity_weight=1.0") == other


def test_a_probe_has_a_loss_of_its_own(tmp_path: Path) -> None:
    first = taught(tmp_path, *PROBE, "method.focus=2.0")
    assert "method" not in first["inputs"]
    assert taught(tmp_path, *PROBE, "method.focus=0.0") == first


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


def with_elder(run: Path, mode: Literal["live", "cached"]) -> Context:
    """The finished run, whose teacher is first distilled from what was its own member."""
    context = open_run(run)
    block = context.recipe.teacher
    elder = PredistilBlock(
        model=block.model,
        weights=str(run / "teacher/member-0.safetensors"),
        method=Embedding(),
        train=dataclasses.replace(context.recipe.train, epochs=3, select_by="last"),
    )
    recipe = dataclasses.replace(
        context.recipe,
        teacher=dataclasses.replace(block, predistil=elder),
        targets=dataclasses.replace(context.recipe.targets, mode=mode),
    )
    return dataclasses.replace(context, recipe=recipe)


def test_who_teaches_the_teacher_is_asked_on_the_device_of_the_run(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = with_elder(finished, "live")
    asked: list[torch.device] = []
    monkeypatch.setattr(
        base, "train", lambda training, *_: asked.append(training.targets.teacher.device)
    )
    with elsewhere() as there:
        monkeypatch.setattr(base, "run_device", lambda: there)
        base._predistil(context, open_data(finished / "data"), [0, 1], "", tmp_path)
    assert asked == [there]


@pytest.mark.parametrize(("least", "epochs"), [(0, 3), (2, 3), (50, 50)])
def test_few_images_are_shown_as_often_as_the_least_steps_ask(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: int, epochs: int
) -> None:
    context = with_elder(finished, "live")
    block = context.recipe.teacher
    assert block.predistil is not None
    elder = dataclasses.replace(block.predistil, least_steps=least)
    teacher = dataclasses.replace(block, predistil=elder)
    context = dataclasses.replace(
        context, recipe=dataclasses.replace(context.recipe, teacher=teacher)
    )
    lasted: list[int] = []
    monkeypatch.setattr(base, "train", lambda training, *_: lasted.append(training.settings.epochs))
    # Two images are one step an epoch.
    base._predistil(context, open_data(finished / "data"), [0, 1], "", tmp_path)
    assert lasted == [epochs]


def test_who_teaches_the_teacher_is_asked_once_about_a_view_where_targets_are_cached(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = dataclasses.replace(with_elder(finished, "cached"), run=RunFolder(tmp_path))
    asked: list[int] = []
    ask = FrozenTeacher.targets

    def counted(self: FrozenTeacher, images: torch.Tensor, *rest: Any, **options: Any) -> Any:
        asked.append(len(images))
        return ask(self, images, *rest, **options)

    monkeypatch.setattr(FrozenTeacher, "targets", counted)
    base._predistil(context, open_data(finished / "data"), range(10), "fold-2/", tmp_path / "base")
    assert context.recipe.views.count == 2
    # One image more tells the shapes.
    assert sum(asked) == 10 * 2 + 1
    (cache,) = tmp_path.glob("fold-2/targets/*/cache.json")
    assert read_json(cache)["layout"]["shapes"] == {"pooled": [32]}
    assert (tmp_path / "base/weights.safetensors").is_file()
