"""In which precision the teacher answers."""

from __future__ import annotations

import pytest

from medistill.recipe import load_recipe
from medistill.stages.targets import teacher_precision
from medistill.teacher.frozen import FrozenTeacher
from medistill.train import precision
from tests.unit.teacher.small import drifting


@pytest.mark.parametrize(
    ("wished", "fast", "found"),
    [
        ("float32", True, "float32"),
        ("bfloat16", False, "bfloat16"),
        ("auto", True, "bfloat16"),
        ("auto", False, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_the_processor_has_it(
    wished: str, fast: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "has_fast_bf16", lambda: fast)
    made = load_recipe("kdvit-small", ("data.path=phantom", f"targets.precision={wished}"))
    assert teacher_precision(made, FrozenTeacher([drifting()])) == found
