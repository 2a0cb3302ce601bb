"""A plan of experiments, and the recipes in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from medistill.core.errors import RecipeError
from medistill.recipe import Recipe, load_recipe

_RECIPE = "recipe="
_BLOCKS = {"recipe": str, "seeds": int, "data": dict, "methods": dict}


def read_plan(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """A plan with overrides for all of its data sets.

    Raises:
        RecipeError: no such file, no YAML, or a block is missing or of another kind.
    """
    if not path.is_file():
        raise RecipeError(where=path, what="there is no such plan", cure="See benchmarks/*.yaml.")
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        what = f"it is no YAML: {' '.join(str(error).split())}"
        raise RecipeError(where=path, what=what, cure="Mend the file.") from error
    given = plan if isinstance(plan, dict) else {}
    for name, kind in _BLOCKS.items():
        if not isinstance(given.get(name), kind):
            what = f"'{name}' is missing or no {kind.__name__}"
            raise RecipeError(where=path, what=what, cure="See the head of benchmarks/matrix.py.")
    data = {name: [*each, *overrides] for name, each in given["data"].items()}
    return {**given, "data": data}


def plan_recipe(plan: Mapping[str, Any], overrides: Iterable[str], *further: str) -> Recipe:
    """The plan's recipe, or the one that an override ``recipe=NAME`` names, with overrides.

    Args:
        plan: the plan.
        overrides: ``key=value`` texts, in which ``$MEDISTILL_DATA`` is expanded.
        further: the same, applied last.
    """
    values = [os.path.expandvars(text) for text in overrides]
    named = [text.removeprefix(_RECIPE) for text in values if text.startswith(_RECIPE)]
    values = [text for text in values if not text.startswith(_RECIPE)]
    return load_recipe(named[-1] if named else plan["recipe"], (*values, *further))
