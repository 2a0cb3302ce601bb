"""Reasons and cures name methods and recipes that exist."""

from __future__ import annotations

import re
from collections.abc import Mapping

from medistill.catalog import METHODS
from medistill.methods import undefined
from medistill.recipe import load_recipe

TABLES = [table for table in vars(undefined).values() if isinstance(table, Mapping)]


def test_methods_that_a_cure_names_exist() -> None:
    cures = " ".join(cure for table in TABLES for _, cure in table.values())
    assert set(re.findall(r"name: (\w+)", cures)) <= set(METHODS)
    for override in set(re.findall(r"method\.task=[\w-]+", cures)):
        assert load_recipe("dist", (override,)).method.tasks == {override.partition("=")[2]}
