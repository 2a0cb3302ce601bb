"""Estimates against what a finished run took."""

import dataclasses
from pathlib import Path

import pytest

from medistill.core.errors import DataError, RecipeError
from medistill.recipe import load_recipe
from medistill.stages.costs import Cost, measure
from medistill.stages.plan import Costs, Sizes, disk_bytes, memory_bytes, plan
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
    assert "Caution: the student has" in planned("student.width=64")


def test_the_disk_is_what_a_finished_run_took(finished: Path) -> None:
    recipe = open_run(finished).recipe
    seen = survey(recipe)
    assert seen == Survey(task="single-label", classes=2, labelled=140, unlabelled=12)
    sizes = Sizes(labelled=140, unlabelled=12, fit=42, folds=1, phantoms=True)
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
    sizes = Sizes(labelled=100, unlabelled=0, fit=50, folds=1, phantoms=False)
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
