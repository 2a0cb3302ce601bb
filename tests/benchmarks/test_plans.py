from __future__ import annotations

import runpy
import signal
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


def test_a_fault_of_the_user_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ``python -m benchmarks.matrix`` in this process, which has imported torch already."""
    monkeypatch.delitem(sys.modules, "benchmarks.matrix", raising=False)
    words = [str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["matrix", *words])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks.matrix", run_name="__main__")
    signal.signal(signal.SIGINT, before)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("matrix: ")
    assert "there is no such plan" in said
    assert len(said.splitlines()) == 1
