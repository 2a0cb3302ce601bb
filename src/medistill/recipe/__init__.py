"""Recipes: YAML in, typed values out; an unknown key or an impossible value says how to mend it.

A recipe holds every value of a run and no code.
"""

from medistill.recipe.blocks import (
    ControlBlock,
    DataBlock,
    DecideBlock,
    ExportBlock,
    PredistilBlock,
    ProbeBlock,
    Recipe,
    SharesBlock,
    StudentPredistilBlock,
    TargetsBlock,
    TeacherBlock,
)
from medistill.recipe.checks import check_combination
from medistill.recipe.explained import explained
from medistill.recipe.reading import dump_recipe, load_recipe, parse_recipe, recorded_recipe

__all__ = [
    "ControlBlock",
    "DataBlock",
    "DecideBlock",
    "ExportBlock",
    "PredistilBlock",
    "ProbeBlock",
    "Recipe",
    "SharesBlock",
    "StudentPredistilBlock",
    "TargetsBlock",
    "TeacherBlock",
    "check_combination",
    "dump_recipe",
    "explained",
    "load_recipe",
    "parse_recipe",
    "recorded_recipe",
]
