"""The recipes of a plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from medistill.recipe import Recipe, load_recipe

_RECIPE = "recipe="


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
