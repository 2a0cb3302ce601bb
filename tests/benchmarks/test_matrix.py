from __future__ import annotations

from pathlib import Path

from benchmarks.matrix import COLUMNS, cells
from benchmarks.reuse import take_over
from benchmarks.rows import Rows
from medistill.core.run_folder import RunFolder


def finished(run: RunFolder, name: str, value: str) -> None:
    with run.writing(name, {"value": value}) as stage:
        (stage.folder / "weights").write_text(value, encoding="utf-8")


def test_stages_from_the_same_inputs_are_taken_over(tmp_path: Path) -> None:
    earlier, run = RunFolder(tmp_path / "ct-plain"), RunFolder(tmp_path / "ct-vit")
    for name in ("data", "fold-0/teacher", "fold-0/seed-1/control", "fold-0/seed-1/student"):
        finished(earlier, name, "old")
    take_over(run, earlier.path)
    assert run.is_current("fold-0/seed-1/control", {"value": "old"})
    assert not run.stage("fold-0/seed-1/student").exists()
    assert not run.is_current("fold-0/teacher", {"value": "new"})
    finished(run, "fold-0/teacher", "new")
    assert (run.stage("fold-0/teacher") / "weights").read_text(encoding="utf-8") == "new"
    assert (earlier.stage("fold-0/teacher") / "weights").read_text(encoding="utf-8") == "old"


def test_cached_targets_are_taken_over(tmp_path: Path) -> None:
    earlier, run = RunFolder(tmp_path / "ct-plain"), RunFolder(tmp_path / "ct-vit")
    cache = earlier.path / "fold-0" / "targets" / "84d5"
    cache.mkdir(parents=True)
    for name in ("cache.json", "images.npy", "shard-00000.npy"):
        (cache / name).write_text(name, encoding="utf-8")
    take_over(run, earlier.path)
    taken = run.path / "fold-0" / "targets" / "84d5"
    assert sorted(file.name for file in taken.iterdir()) == sorted(
        file.name for file in cache.iterdir()
    )


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    earlier, run = RunFolder(tmp_path / "ct-plain"), RunFolder(tmp_path / "ct-vit")
    finished(earlier, "data", "old")
    finished(run, "data", "own")
    take_over(run, earlier.path)
    assert run.is_current("data", {"value": "own"})


def test_a_method_may_have_a_recipe_of_its_own() -> None:
    plan = {
        "recipe": "kdvit-small",
        "seeds": 2,
        "data": {"ct": ["data.path=scans"]},
        "methods": {"vit": [], "cnn": ["recipe=kdvit-small-cnn", "train.epochs=7"]},
    }
    found = {method: recipe for _, method, recipe in cells(plan)}
    assert {name: recipe.name for name, recipe in found.items()} == {
        "vit": "kdvit-small",
        "cnn": "kdvit-small-cnn",
    }
    assert found["cnn"].train.epochs == 7
    assert found["cnn"].seeds == 2


def test_the_teacher_of_a_fold_is_scored_once(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.csv", COLUMNS, keys=6)
    for role, auroc in (("teacher", "0.9"), ("student", "0.8")):
        values = ("ct", "vit", "1", "0", role, "evaluate", auroc, "0.5", "3", "")
        rows.add(dict(zip(COLUMNS, values, strict=True)))
    known = rows.like(("ct", "vit", "1", "4", "teacher", "evaluate"), but="seed")
    assert known is not None
    assert known["auroc"] == "0.9"
    assert rows.like(("ct", "vit", "2", "0", "teacher", "evaluate"), but="seed") is None
