"""What trainings do with labels is refused where there are no such labels."""

from __future__ import annotations

from typing import Any

import pytest

from medistill.core.errors import RecipeError
from medistill.recipe import load_recipe
from medistill.stages.label_rehearsal import check_label_values
from medistill.stages.rehearsal import Given, rehearse_given


@pytest.mark.parametrize(
    ("recipe", "task", "cure"),
    [
        ("multi-label-small", "multi-label", "take the recipe rms-net"),
        ("rskd-small", "segmentation", "the Dice term"),
    ],
)
@pytest.mark.parametrize("key", ["train", "teacher.fit"])
def test_classes_that_an_image_has_several_of_are_not_balanced(
    recipe: str, task: Any, cure: str, key: str
) -> None:
    given = Given(task=task, classes=3, rows=100)
    with pytest.raises(RecipeError, match=rf"^{key}\.balance: .*{task}\. .*{cure}"):
        rehearse_given(load_recipe(recipe, (f"{key}.balance=1",)), given, print)


@pytest.mark.parametrize("key", ["train", "teacher.fit"])
def test_masks_are_not_smoothed(key: str) -> None:
    recipe = load_recipe("rskd-small", (f"{key}.label_smoothing=0.1",))
    given = Given(task="segmentation", classes=2, rows=100)
    with pytest.raises(RecipeError, match=rf"^{key}\.label_smoothing: .*masks\. Set .*smoothing=0"):
        rehearse_given(recipe, given, print)


@pytest.mark.parametrize(
    ("name", "key"), [("affinity-small", "predistil"), ("kdvit-small", "teacher.predistil")]
)
def test_without_labels_there_is_nothing_to_smooth(name: str, key: str) -> None:
    recipe = load_recipe(name, (f"{key}.train.label_smoothing=0.1",))
    with pytest.raises(RecipeError, match=rf"^{key}\.train\.label_smoothing: there are no labels"):
        check_label_values(recipe, "single-label")


@pytest.mark.parametrize(
    ("name", "task"), [("deit-small", "single-label"), ("rms-net-small", "multi-label")]
)
def test_labels_of_images_are_smoothed(name: str, task: Any) -> None:
    recipe = load_recipe(name, ("train.label_smoothing=0.1",))
    check_label_values(recipe, task)
    assert recipe.train.label_smoothing == 0.1
