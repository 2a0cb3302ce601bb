"""Weights that cannot be used or had are refused before anything is trained."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from medistill.core.errors import WeightsError
from medistill.models import published
from medistill.models.timm_bridge import TimmModel
from medistill.recipe import load_recipe
from medistill.stages import rehearsal
from medistill.stages.context import Context
from medistill.stages.data import prepare_data
from medistill.stages.plan import plan
from medistill.stages.rehearsal import rehearse
from medistill.stages.run import open_run, run
from medistill.stages.start_weights import settled_roles, start_of
from tests.unit.stages.conftest import SMALL

NAMED = "student={name: vit_tiny, image_size: 32, patch_size: 16}"
ELDER = "{name: tf_efficientnet_lite0, image_size: 32}"
TRAIN = "{epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: last}"


def planned(*overrides: str) -> str:
    return plan(load_recipe("demo", (*SMALL, *overrides)), Path("run"))


def test_weights_of_a_student_that_cannot_be_had_end_a_run_before_its_teacher(
    tmp_path: Path,
) -> None:
    overrides = (*SMALL, NAMED, "student_weights=published")
    with pytest.raises(WeightsError, match="cannot be reached") as caught:
        run("demo", out=tmp_path / "run", overrides=overrides)
    cure = "Give a local file with student_weights=FILE, or start at random with "
    assert str(caught.value).startswith("student_weights: vit_tiny_patch16_224: its weights")
    assert str(caught.value).endswith(f"{cure}student_weights=null.")
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["data"]
    with pytest.raises(WeightsError, match="cannot be reached") as again:
        planned(NAMED, "student_weights=published")
    assert str(again.value) == str(caught.value)


def test_what_the_hub_has_is_not_fetched_by_a_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_hub_answers", lambda: True)
    monkeypatch.setattr(published, "_fetched_weights", None)
    assert "student" in planned(NAMED, "student_weights=published")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("student_weights={file}",), "student_weights: other.pt: does not fit the model: .*mine"),
        (("teacher.weights={file}",), "teacher.weights: other.pt: does not fit the model: .*mine"),
        (
            (f"teacher.predistil={{model: {ELDER}, weights: none.pt, "
             f"method: {{name: embedding}}, train: {TRAIN}}}",),
            "teacher.predistil.weights: none.pt: does not exist",
        ),
        (("student_weights=published",), "no weights are published for a ViT of one's own sizes"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_or_are_not_there(
    changes: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "other.pt"
    torch.save({"mine": torch.zeros(2)}, file)
    with pytest.raises(WeightsError, match=words):
        planned(*(change.replace("{file}", str(file)) for change in changes))


def test_a_teacher_that_is_not_fitted_must_come_with_its_classifier(tmp_path: Path) -> None:
    file = tmp_path / "own.pth"
    model = "teacher.model={name: resnet18, image_size: 32}"
    given = (model, f"teacher.weights={file}", "teacher.fit=null", "teacher.cross_fit=false")
    for classes, lacks in ((5, True), (2, False)):
        torch.save(TimmModel("resnet18", classes=classes).state_dict(), file)
        if lacks:
            words = "it lacks part of this network of 2 classes, and nothing fits it. Add teacher.f"
            with pytest.raises(WeightsError, match=f"teacher.weights: own.pth: {words}"):
                planned(*given)
            assert "teacher" in planned(model, f"teacher.weights={file}")  # a fitted one learns it
        else:
            assert "student" in planned(*given)


def test_a_role_says_what_it_starts_from() -> None:
    recipe = load_recipe("kdvit-small", ("data.path=phantom", "student_weights=published"))
    elder, student = (start_of(recipe, role) for role in ("elder", "student"))
    assert elder is not None
    assert student is not None
    assert start_of(recipe, "teacher") is None
    named = "set teacher.predistil.model.name=tf_efficientnet_lite0, whose ImageNet weights come"
    assert elder.cure == (
        f"Give a local file with teacher.predistil.weights=FILE, or {named} as a package."
    )
    assert start_of(load_recipe("kdvit-small-cnn"), "elder") is None
    assert start_of(load_recipe("kdvit-small-cnn"), "student") is None


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the weights that a rehearsal asks for."""
    keys: list[str] = []
    monkeypatch.setattr(rehearsal, "check_start", lambda _, start, **__: keys.append(start.key))
    return keys


def test_a_finished_run_needs_its_first_weights_no_more(
    finished: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehearsed(folder: Path) -> list[str]:
        context = open_run(folder)
        prepared = prepare_data(context)
        # As if both had started from published weights, which their manifests need not say.
        monkeypatch.setattr(rehearsal, "start_of", _published(context))
        asked.clear()
        rehearse(context, prepared)
        return list(asked)

    copy = shutil.copytree(finished, tmp_path / "run")
    assert rehearsed(copy) == []
    assert settled_roles(open_run(copy), prepare_data(open_run(copy))) == {
        *("elder", "teacher", "student")
    }
    shutil.rmtree(copy / "seed-0/control")
    assert rehearsed(copy) == ["student_weights"]
    shutil.rmtree(copy / "teacher")
    assert rehearsed(copy) == ["teacher.weights", "student_weights"]


def _published(context: Context) -> Callable[..., object]:
    teacher = dataclasses.replace(context.recipe.teacher, weights="published")
    recipe = dataclasses.replace(context.recipe, teacher=teacher, student_weights="published")
    return lambda _, role: start_of(recipe, role)
