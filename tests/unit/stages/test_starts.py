from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from medistill.recipe import load_recipe
from medistill.stages.starts import starts


@pytest.mark.parametrize(
    ("recipe", "teacher", "student", "control"),
    [
        ("hinton-small", "published weights of tf_efficientnet_lite0", "random weights", None),
        (
            "kdvit-small-cnn",
            "published weights of tf_efficientnet_lite0, kept; a linear probe on them learned the "
            "labels",
            "random weights",
            None,
        ),
        (
            "rskd-small",
            "random weights, then distilled without labels from a model of published weights of "
            "tf_efficientnet_lite0",
            "random weights",
            None,
        ),
        (
            "affinity-small",
            "published weights of tf_efficientnet_lite0",
            "random weights, then distilled without labels from its teacher",
            "random weights, with as many steps more on labels",
        ),
    ],
)
def test_shipped_recipes(recipe: str, teacher: str, student: str, control: str | None) -> None:
    found = starts(load_recipe(recipe))
    assert found == {"teacher": teacher, "student": student, "control": control or student}


def test_a_file_is_named_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    recipe = dataclasses.replace(load_recipe("hinton-small"), student_weights=str(path))
    digest = hashlib.sha256(b"weights").hexdigest()
    assert starts(recipe)["student"] == f"a weights file (SHA-256 {digest})"
    assert str(tmp_path) not in str(starts(recipe))
