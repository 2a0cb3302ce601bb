"""Which weights teacher, student and control began from, in words."""

from __future__ import annotations

from pathlib import Path

from medistill.core.files import sha256_file
from medistill.recipe import Recipe, TeacherBlock

_RANDOM = "random weights"


def starts(recipe: Recipe) -> dict[str, str]:
    """For each role what its training began from, and what came before its own recipe.

    Returns:
        ``teacher``, ``student`` and ``control``, each a phrase that follows "began from".
    """
    base = _weights(recipe.student_weights, recipe.student.name)
    before = recipe.predistil is not None
    return {
        "teacher": _teacher(recipe.teacher),
        "student": f"{base}, then distilled without labels from its teacher" if before else base,
        "control": f"{base}, with as many steps more on labels" if before else base,
    }


def _teacher(block: TeacherBlock) -> str:
    elder = block.predistil
    if elder is None:
        base = _weights(block.weights, block.model.name)
    else:
        given = _weights(elder.weights, elder.model.name)
        base = f"{_RANDOM}, then distilled without labels from a model of {given}"
    if block.probe is not None:
        return f"{base}, kept; a linear probe on them learned the labels"
    return base if block.fit else f"{base}, used as they are"


def _weights(given: str | None, model: str) -> str:
    """A file is named by its hash: a path says nothing elsewhere."""
    if given is None:
        return _RANDOM
    if given == "published":
        return f"published weights of {model}"
    path = Path(given)
    return f"a weights file (SHA-256 {sha256_file(path)})" if path.is_file() else "a weights file"
