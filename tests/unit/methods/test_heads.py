"""Students with and without a distillation token."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from medistill.core.errors import RecipeError
from medistill.methods.heads import has_heads, require_heads


def student(*names: str) -> Any:
    return SimpleNamespace(feature_names=frozenset(names))


def test_both_heads_are_needed() -> None:
    assert has_heads(student("head", "head_dist", "pooled"))
    assert not has_heads(student("head", "pooled"))


def test_a_student_without_a_token_is_refused_with_the_cure() -> None:
    assert require_heads(student("head", "head_dist"), method="deit") == {"head", "head_dist"}
    with pytest.raises(RecipeError, match=r"deit teaches .* Set student.distilled=true"):
        require_heads(student("head"), method="deit")
