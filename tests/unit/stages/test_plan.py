"""Estimates against what a finished run took."""

import dataclasses
from pathlib import Path

import pytest

from medistill.core.errors import DataError, RecipeError
from medistill.recipe import load_recipe
from medistill.stages.costs import Cost, measure
from medistill.stages.plan import Costs, Sizes, _lines, disk_bytes, memory_bytes, plan
from medistill.stages.run import open_run
from medistill.stages.survey import Survey, survey
from tests.unit.stages.conftest import SMALL


def cost(**changes: float) -> Cost:
    values = {"step": 0.1, "forward": 0.03, "view": 0.001, "parameters": 1000, "saved": 500.0}
    return Cost(**{**values, "numbers": 2, **changes})  # type: ignore[arg-type]


def test_the_plan_names_every_stage_and_its_cost(tmp_path: Path) -> None:
    text = plan(load_recipe("demo", SMALL), tmp_path / "run")
    for stage in ("data", "teacher", "targets", "student", "control", "evaluation"):
        assert f"\n  {stage} " in text
    assert "12 unlabelled" in text
    assert "memory about" in text
    assert not (tmp_path / "run").exists()


def test_what_a_run_would_refuse_its_plan_refuses(tmp_path: Path) -> None:
    def planned(*overrides: str) -> str:
        return plan(load_recipe("demo", (*SMALL, *overrides)), tmp_path / "run")

    with pytest.raises(RecipeError, match="two standardised logits"):
        planned("method.standardise=true")
    with pytest.raises(RecipeError, match="KDViT is for single-label images, and these are multi"):
        planned("data.path=phantom:count=40,size=32,task=lesions")
    with pytest.raises(DataError, match="no images were named"):
        planned("data.path=null")
    with pytest.raises(RecipeError, match="no class is called 'lesions'"):
        planned("decide.positive=lesions")
    with pytest.raises(RecipeError, match="there is no elsewhere"):
        planned("decide.strange=[elsewhere]")
    assert "Caution: the student has" in planned("student.width=64")


def test_the_disk_is_what_a_finished_run_took(finished: Path) -> None:
    recipe = open_run(finished).recipe
    seen = survey(recipe)
    assert seen == Survey(
        task="single-label", classes=("normal", "lesion"), labelled=140, unlabelled=12
    )
    sizes = Sizes(labelled=140, unlabelled=12, fit=42, select=14, folds=1, phantoms=True)
    needs = recipe.method.needs
    costs = Costs(
        teacher=measure(recipe.teacher.model, recipe, 8, needs),
        student=measure(recipe.student, recipe, 8),
        elder=None,
    )
    taken = sum(path.stat().st_size for path in finished.rglob("*") if path.is_file())
    assert disk_bytes(recipe, sizes, costs) == pytest.approx(taken, rel=0.5)


def test_targets_with_maps_are_counted_whole() -> None:
    recipe = load_recipe("demo", SMALL)
    found = measure(recipe.teacher.model, recipe, 2, frozenset({"logits", "pooled"}))
    assert found.numbers == 2 + 32
    sizes = Sizes(labelled=100, unlabelled=0, fit=50, select=10, folds=1, phantoms=False)
    costs = [Costs(teacher=cost(numbers=n), student=cost(), elder=None) for n in (2, 1002)]
    few, many = (disk_bytes(recipe, sizes, each) for each in costs)
    # float16, 50 images in 2 views, 1,000 numbers more each.
    assert many - few == 50 * 2 * 1000 * 2


def test_memory_is_that_of_the_largest_stage() -> None:
    recipe = load_recipe("demo", SMALL)
    small, large = (
        Costs(teacher=cost(parameters=n * 10**8), student=cost(), elder=None) for n in (1, 2)
    )
    # Weights, gradients, two moments, moving average: 20 bytes a parameter of a fitted teacher.
    assert memory_bytes(recipe, large) - memory_bytes(recipe, small) == pytest.approx(2e9, rel=0.01)
    probe = dataclasses.replace(recipe.teacher, fit=None)
    asked = dataclasses.replace(recipe, teacher=probe)
    # A teacher that is only asked: 4 bytes a parameter of each of two members.
    assert memory_bytes(asked, large) - memory_bytes(asked, small) == pytest.approx(8e8, rel=0.01)


def test_looks_at_select_take_their_time() -> None:
    recipe = load_recipe("demo", SMALL)
    costs = Costs(teacher=cost(), student=cost(forward=0.5), elder=None)

    def seconds(epochs: int, ema: float | None, select: int) -> float:
        train = dataclasses.replace(recipe.train, epochs=epochs, ema=ema)
        asked = dataclasses.replace(recipe, train=train)
        sizes = Sizes(labelled=100, unlabelled=0, fit=50, select=select, folds=1, phantoms=False)
        return next(took for name, _, took in _lines(asked, sizes, costs) if name == "control")

    # Weights and, where there is one, their moving average, after each of three epochs.
    assert seconds(3, None, 20) - seconds(3, None, 0) == pytest.approx(3 * 20 * 0.5)
    assert seconds(3, 0.99, 20) - seconds(3, 0.99, 0) == pytest.approx(2 * 3 * 20 * 0.5)


@pytest.mark.parametrize(("mode", "asked"), [("cached", 4), ("live", 6)])
def test_a_cached_elder_is_asked_once_about_a_view(mode: str, asked: int) -> None:
    changes = ("train.epochs=6", "least_steps=0")
    own = (f"teacher.predistil.{change}" for change in changes)
    recipe = load_recipe("kdvit-small", (*own, "views.count=4", f"targets.mode={mode}"))
    sizes = Sizes(labelled=0, unlabelled=128, fit=64, select=0, folds=1, phantoms=False)
    still = cost(step=0.0, forward=0.0, view=0.0)
    costs = Costs(teacher=still, student=still, elder=cost(forward=1.0, view=0.0))
    found = {name: took for name, _, took in _lines(recipe, sizes, costs)}
    assert found["teacher-base"] == pytest.approx(asked * 128)


def test_few_images_are_shown_more_often_before_labels() -> None:
    changes = ("teacher.predistil.train.epochs=6", "teacher.predistil.least_steps=21")
    recipe = load_recipe("kdvit-small", changes)
    assert recipe.teacher.predistil is not None
    assert recipe.teacher.predistil.train.batch_size == 64
    sizes = Sizes(labelled=0, unlabelled=128, fit=64, select=0, folds=1, phantoms=False)
    costs = Costs(teacher=cost(), student=cost(), elder=cost())
    # Two steps an epoch: eleven epochs make more than 21.
    said = {name: what for name, what, _ in _lines(recipe, sizes, costs)}
    assert said["teacher-base"] == "22 steps without labels, 1 time(s)"
