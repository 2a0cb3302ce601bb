"""Reasons and cures name methods and recipes that exist."""

from __future__ import annotations

import re

from medistill.catalog import METHODS
from medistill.methods import undefined
from medistill.recipe import load_recipe

TABLES = (
    undefined.OTHER_TASK,
    undefined.POOLED,
    undefined.ONE_CLASS,
    undefined.EACH_LABEL,
    undefined.EACH_PIXEL,
    undefined.NOTHING,
)


def test_methods_that_a_cure_names_exist() -> None:
    cures = " ".join(cure for table in TABLES for _, cure in table.values())
    assert set(re.findall(r"name: (\w+)", cures)) <= set(METHODS)
    for override in set(re.findall(r"method\.task=[\w-]+", cures)):
        assert load_recipe("dist", (override,)).method.tasks == {override.partition("=")[2]}
