"""What trainings do with labels is refused where there are no such labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.recipe import Recipe
from medistill.train.settings import TrainSettings

#: What there is for images that belong to no single class.
_UNEVEN: Mapping[Task, str] = {
    "multi-label": "for rare labels take the recipe rms-net, whose focal loss weighs them",
    "segmentation": "the Dice term weighs rare and frequent classes of masks alike",
}


def check_label_values(recipe: Recipe, task: Task) -> None:
    """Refuse balance and smoothing that these labels cannot have.

    Raises:
        RecipeError: the first such value, with its cure.
    """
    for key, settings in _with_labels(recipe):
        if settings.balance and task != "single-label":
            raise RecipeError(
                where=f"{key}.balance",
                what=f"it evens out classes that exclude each other, and these images are {task}",
                cure=f"Set {key}.balance=0; {_UNEVEN[task]}.",
            )
        if settings.label_smoothing and task == "segmentation":
            raise _unread(key, "it smooths labels of images, and these have masks")
    for key, settings in _without_labels(recipe):
        if settings.label_smoothing:
            raise _unread(key, "there are no labels to smooth")


def _with_labels(recipe: Recipe) -> Iterator[tuple[str, TrainSettings]]:
    yield "train", recipe.train
    if recipe.teacher.fit is not None:
        yield "teacher.fit", recipe.teacher.fit


def _without_labels(recipe: Recipe) -> Iterator[tuple[str, TrainSettings]]:
    if recipe.teacher.predistil is not None:
        yield "teacher.predistil.train", recipe.teacher.predistil.train
    if recipe.predistil is not None:
        yield "predistil.train", recipe.predistil.train


def _unread(key: str, what: str) -> RecipeError:
    where = f"{key}.label_smoothing"
    return RecipeError(where=where, what=what, cure=f"Set {where}=0.")
