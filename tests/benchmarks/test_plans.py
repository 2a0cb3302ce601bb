from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plans import read_plan
from medistill.core.errors import RecipeError

PLAN = "recipe: demo\nseeds: 1\ndata: {ct: [a=1]}\nmethods: {plain: []}\n"


def test_overrides_go_to_every_data_set(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    assert read_plan(tmp_path / "plan.yaml", ("b=2",))["data"] == {"ct": ["a=1", "b=2"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipe: [", "it is no YAML"),
        ("- a\n- b\n", "'recipe' is missing"),
        (PLAN.replace("seeds: 1", "seeds: many"), "'seeds' is missing or no int"),
        (PLAN.replace("methods: {plain: []}", ""), "'methods' is missing"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=said):
        read_plan(tmp_path / "plan.yaml")


def test_a_fault_of_the_user_is_one_line(tmp_path: Path) -> None:
    words = ("benchmarks.matrix", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out"))
    ended = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("matrix: ")
    assert "there is no such plan" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
