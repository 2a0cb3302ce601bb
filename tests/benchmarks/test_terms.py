"""The table of terms names each of them, with a gradient."""

from __future__ import annotations

from pathlib import Path

from benchmarks.terms import term_gradients
from medistill.recipe import load_recipe
from tests.recipes.small_recipes import small_overrides


def test_every_term_has_a_value_and_a_gradient(tmp_path: Path) -> None:
    found = term_gradients(load_recipe("kdvit", small_overrides("kdvit")), tmp_path)
    assert set(found) == {"hard", "soft"}
    assert all(value > 0 and norm > 0 for value, norm in found.values())
