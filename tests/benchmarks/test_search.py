"""As many trials for the control as for each method, judged on *select*, confirmed elsewhere."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import matrix
from benchmarks.search import Search
from medistill.core.errors import RecipeError
from medistill.core.files import read_json

PLAN: dict[str, Any] = {
    "recipe": "hinton-small",
    "seeds": 1,
    "search": {
        "seed": 1000,
        "folds": [1],
        "by": "auroc",
        "trials": {
            "control": [["control.lr=1.0e-3"], ["control.lr=2.0e-3"]],
            "hinton": [["train.lr=1.0e-3"], ["method.temperature=1", "train.lr=5.0e-3"]],
        },
    },
    "data": {"phantom": ["data.path=phantom:count=60,size=32"]},
    "methods": {"hinton": [], "standing": ["method={name: hinton, soft_weight: 1.0}"]},
}
TINY = (
    "data.folds=2",
    "data.stored_size=32",
    "teacher.model={name: test_resnet, image_size: 32}",
    "teacher.weights=null",
    "teacher.members=1",
    "teacher.cross_fit=false",
    "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3}",
    "student={name: vit, image_size: 32, patch_size: 16, width: 12, depth: 1, heads: 2}",
    "train.epochs=1",
    "train.warmup_epochs=0",
    "views.count=1",
)


def start(path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        ["matrix", str(path), *TINY, "--out", str(out), "--part", "select", "--threads", "1"],
    )
    matrix.main()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_winners_are_confirmed_with_other_seeds_and_nothing_is_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "plan.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(PLAN))
    start(path, out, monkeypatch)
    trials, rows = table(out / "trials.csv"), table(out / "rows.csv")
    assert [(row["name"], row["trial"], row["fold"]) for row in trials] == [
        (name, str(trial), "1") for name in ("control", "hinton") for trial in (0, 1)
    ]
    assert {row["role"] for row in rows} == {"teacher", "student", "control"}
    assert len(rows) == 2 * 2 * 3

    best = max((row for row in trials if row["name"] == "hinton"), key=lambda row: row["auroc"])
    inputs = read_json(out / "phantom-hinton" / "fold-0" / "seed-0" / "student" / "manifest.json")
    given = inputs["inputs"]["train"]
    assert given["seed"] == 0
    assert given["lr"] == {"0": 1e-3, "1": 5e-3}[best["trial"]]
    standing = read_json(
        out / "phantom-standing" / "fold-0" / "seed-0" / "student" / "manifest.json"
    )["inputs"]
    assert standing["method"]["soft_weight"] == 1.0
    assert standing["train"]["lr"] == given["lr"]

    # The same teacher and control are fitted once: other cells take the very file.
    for stage, name in (
        ("teacher", "member-0.safetensors"),
        ("seed-0/control", "weights.safetensors"),
    ):
        files = [
            out / cell / "fold-0" / stage / name for cell in ("phantom-hinton", "phantom-standing")
        ]
        assert files[0].samefile(files[1])

    # A second start finds all of it.
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}
    start(path, out, monkeypatch)
    assert table(out / "trials.csv") == trials
    assert table(out / "rows.csv") == rows
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")} == before


def row(trial: int, loss: float, auroc: float) -> dict[str, str]:
    values = {"data": "d", "name": "n", "trial": str(trial)}
    return values | {"loss": str(loss), "auroc": str(auroc)}


def test_folds_are_averaged_and_of_losses_the_lowest_wins() -> None:
    rows = [row(0, 1.0, 0.5), row(0, 2.0, 0.9), row(1, 1.2, 0.6), row(1, 1.3, 0.6)]
    trials = {"control": ((),), "n": ((),)}
    by_loss = Search(seed=1000, folds=(0, 1), by="loss", trials=trials)
    by_auroc = Search(seed=1000, folds=(0, 1), by="auroc", trials=trials)
    assert by_loss.best(rows, "d", "n") == 1
    assert by_auroc.best(rows, "d", "n") == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trials": {"control": [[]], "hinton": [[], []]}}, "unequal trials"),
        ({"trials": {"hinton": [[]]}}, "the control is not searched"),
        ({"trials": {"control": [[]], "other": [[]]}}, r"no method is called \['other'\]"),
        ({"seed": 0}, "confirmed with"),
    ],
)
def test_an_unfair_search_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Search.read({**PLAN, "search": {**PLAN["search"], **change}})


def test_a_method_with_another_student_needs_a_control_of_its_own() -> None:
    """A plain ViT given the learning rate of another network's control would look helped."""
    trials = {**PLAN["search"]["trials"], "smaller": [["train.lr=1.0e-3"], ["train.lr=2.0e-3"]]}
    methods = {**PLAN["methods"], "smaller": ["student.depth=2"]}
    plan = {**PLAN, "search": {**PLAN["search"], "trials": trials}, "methods": methods}
    search = Search.read(plan)
    assert search is not None
    with pytest.raises(RecipeError, match="'smaller' has another student"):
        search.check_students(plan)
    search = Search.read(PLAN)
    assert search is not None
    search.check_students(PLAN)
