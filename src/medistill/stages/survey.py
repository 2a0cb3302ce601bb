"""What the images of a recipe are, before one of them is decoded."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

from medistill.core.types import Task
from medistill.data.layouts import phantom_settings, read_data, refuse_unused_plane
from medistill.data.phantom.drawing import phantom_task
from medistill.data.unlabelled import read_unlabelled
from medistill.recipe import DataBlock, Recipe
from medistill.stages.cutting import refuse_uncuttable, unused_split
from medistill.stages.data import nothing_named
from medistill.stages.rehearsal import check_decisions


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the images are, before one of them is decoded.

    Attributes:
        task: what the labels are.
        classes: their names.
        labelled: images with labels.
        unlabelled: images without.
        caveats: what is known of the set before a run that must stay with its figures.
    """

    task: Task
    classes: tuple[str, ...]
    labelled: int
    unlabelled: int
    caveats: tuple[str, ...] = ()


def survey(recipe: Recipe) -> Survey:
    """What the images that a recipe names are; phantoms are not drawn for it.

    Raises:
        DataError: no images were named, they cannot be read, or cannot be cut into parts.
        RecipeError: what is to be decided cannot be, of these classes.
    """
    data = recipe.data
    if data.path is None:
        raise nothing_named()
    with tempfile.TemporaryDirectory() as cache:
        seen = _seen(data, data.path, Path(cache))
        check_decisions(recipe.decide, seen.task, seen.classes)
        return dataclasses.replace(seen, unlabelled=_unlabelled(data.unlabelled, Path(cache)))


def _seen(data: DataBlock, spec: str, cache: Path) -> Survey:
    """What is at the path alone."""
    if spec.split(":", 1)[0] == "phantom":
        numbers, asked = phantom_settings(spec)
        kind = phantom_task(asked)
        return Survey(
            task=kind.task, classes=tuple(kind.classes), labelled=numbers["count"], unlabelled=0
        )
    images = read_data(
        spec, layout=data.layout, cache=cache, workers=data.workers, plane=data.plane
    )
    refuse_unused_plane(images, data.plane)
    refuse_uncuttable(images, data)
    return Survey(
        task=images.task,
        classes=tuple(images.classes),
        labelled=len(images.samples),
        unlabelled=0,
        caveats=(*images.caveats, *unused_split(images, data.folds)),
    )


def _unlabelled(spec: str | None, cache: Path) -> int:
    if spec is None:
        return 0
    if spec.split(":", 1)[0] == "phantom":
        return phantom_settings(spec)[0]["count"]
    return len(read_unlabelled(spec, cache=cache))
