"""Networks of a run as its recipe describes them, and recipe blocks as values of a manifest."""

from __future__ import annotations

import dataclasses
from typing import Any

from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.recipe import Recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.train.fingerprint import without_effect
from medistill.train.settings import TrainSettings


def block_json(block: object) -> Any:
    """A recipe block as plain JSON values, without what has no effect on a result."""
    return _plain(block)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        without = without_effect(value) if isinstance(value, TrainSettings) else frozenset[str]()
        names = (each.name for each in dataclasses.fields(value) if each.name not in without)
        fields = {name: _plain(getattr(value, name)) for name in names}
        return {"": type(value).__name__, **fields}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def build(context: Context, prepared: Prepared, spec: ModelSpec) -> Network:
    """A network for this run's classes and stored images."""
    return build_for(context.recipe, spec, classes=len(prepared.images.classes))


def build_for(recipe: Recipe, spec: ModelSpec, *, classes: int) -> Network:
    """A network for so many classes and the images that a recipe stores."""
    return build_model(
        spec,
        classes=classes,
        channels=recipe.data.channels,
        stored_size=recipe.data.stored_size,
        window=recipe.data.window,
        fit=recipe.views.fit,
    )
