from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from medistill.stages import explained_models
from medistill.stages.explained_models import shown_models


@pytest.mark.parametrize(
    ("members", "title"),
    [(["first"], "teacher"), (["first", *"bcde"], "teacher (first of 5 members)")],
)
def test_a_teacher_of_several_members_is_called_by_the_one_that_is_shown(
    monkeypatch: pytest.MonkeyPatch, members: list[str], title: str
) -> None:
    teacher, nothing = SimpleNamespace(members=members), SimpleNamespace()
    asked: Any = {"open_teacher": teacher, "open_student": "small"}
    for name, found in asked.items():
        monkeypatch.setattr(explained_models, name, lambda *_, found=found: found)
    models = shown_models(nothing, nothing, 0)  # type: ignore[arg-type]
    assert {role: (m.title, m.network) for role, m in models.items()} == {
        "teacher": (title, "first"),
        "student": ("student", "small"),
    }
