"""The check as users meet it: clean sets pass, leaks stop, and the data are left alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.run_folder import RunFolder
from medistill.recipe import load_recipe
from medistill.stages.check import PROPOSAL, check
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import prepare_data
from medistill.stages.run import open_recipe, run
from tests.unit.data.pictures import smooth_picture

CHANGES = ("data.unlabelled=null", "data.workers=0", "data.layout=null")


def _set(root: Path) -> Path:
    """Class folders below train and test, without a fault."""
    for number in range(48):
        split = "test" if number % 3 == 0 else "train"
        path = root / split / ("ill" if number % 2 else "well") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth_picture(number, 64).save(path)
    return root


def _listed(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_clean_set_passes_and_is_left_alone(tmp_path: Path) -> None:
    data = _set(tmp_path / "扫描 data")
    before = _listed(data)
    found = check(data, out=tmp_path / "out")
    assert [f.check for f in found if f.severity == "fatal"] == []
    assert _listed(data) == before
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"cache", "check.html", "check.json", PROPOSAL}
    assert json.loads((tmp_path / "out" / "check.json").read_text())["layout"] == "folder"


def test_data_are_checked_without_torch(tmp_path: Path) -> None:
    data = _set(tmp_path / "data")
    lines = (
        "import sys, runpy",
        f"sys.argv = ['medistill', 'check', {str(data)!r}, '--out', {str(tmp_path / 'out')!r},"
        " '--workers', '0']",
        "try: runpy.run_module('medistill', run_name='__main__')",
        "except SystemExit as end: print('ended', end.code, 'torch' in sys.modules)",
    )
    source = str(Path(__file__).resolve().parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert "ended 0 False" in done.stdout, done.stderr[-2000:]


def test_copy_in_both_parts_with_another_class_is_fatal(tmp_path: Path) -> None:
    data = _set(tmp_path / "data")
    with (data / "train" / "ill" / "01.png").open("rb") as stream:
        (data / "test" / "well" / "copy.png").write_bytes(stream.read())
    names = {f.check for f in check(data, out=tmp_path / "out") if f.severity == "fatal"}
    assert "exact-copies-with-other-labels" in names


def test_nothing_is_written_into_the_data(tmp_path: Path) -> None:
    data = _set(tmp_path / "data")
    with pytest.raises(DataError, match="lies in the data, where nothing is ever written"):
        check(data, out=data / "out")


def test_nothing_is_written_beside_a_table_or_among_its_images(tmp_path: Path) -> None:
    pool = _set(tmp_path / "pool")
    table = tmp_path / "lists" / "table.csv"
    table.parent.mkdir()
    names = sorted(pool.rglob("*.png"))
    rows = [f"{os.path.relpath(path, table.parent)},{path.parent.name}" for path in names]
    table.write_text("\n".join(["path,label", *rows]))
    before = _listed(tmp_path)
    for out in (table.parent, pool / "train" / "ill" / "deep" / "out"):
        with pytest.raises(DataError, match="lies in the data, .*Name a folder elsewhere"):
            check(table, out=out)
    assert _listed(tmp_path) == before
    check(table, out=table.parent / "table-check")
    assert (table.parent / "table-check" / "check.json").is_file()


def test_nothing_is_written_where_linked_images_lie(tmp_path: Path) -> None:
    data = _set(tmp_path / "data")
    shutil.move(data / "train" / "ill", tmp_path / "store")
    (data / "train" / "ill").symlink_to(tmp_path / "store")
    with pytest.raises(DataError, match="lies in the data"):
        check(data, out=tmp_path / "store" / "out")
    assert not (tmp_path / "store" / "out").exists()


class Kept(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("training", [False, True])
def test_a_warning_is_said_with_its_cure(tmp_path: Path, training: bool) -> None:
    for number in range(96):
        path = tmp_path / "data" / ("ill" if number % 12 == 0 else "well") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth_picture(number, 32).save(path)
    kept = Kept()
    if training:
        recipe = open_recipe("demo", data=tmp_path / "data", overrides=CHANGES)
        prepare_data(Context(recipe, RunFolder(tmp_path / "run"), kept))
    else:
        check(tmp_path / "data", out=tmp_path / "out", reporter=kept)
    text = " ".join(" ".join(kept.said).split())
    found = re.search(r"'ill' is 11 times rarer than the largest class(?: \[\w+\]\.)? (.*)", text)
    assert found
    assert found[1].startswith("Judge by the AUROC and sensitivity of each class, not by accuracy.")
    assert "Training shows classes more evenly with train.balance" in found[1]


def test_folder_without_a_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no fitted teacher"):
        check(_set(tmp_path / "data"), out=tmp_path / "out", teacher=tmp_path)


def test_training_stops_at_a_fatal_finding(tmp_path: Path) -> None:
    data = _set(tmp_path / "data")
    shutil.copy(data / "train" / "ill" / "01.png", data / "train" / "well" / "copy.png")
    chosen = open_recipe("demo", data=data, overrides=CHANGES)
    with pytest.raises(DataError, match=r"data\.allow=\[exact-copies-with-other-labels"):
        run(chosen, out=tmp_path / "run")


def test_allow_is_a_list_of_names() -> None:
    recipe = load_recipe("demo", ("data.allow=[unreadable, large-cluster]",))
    assert recipe.data.allow == ("unreadable", "large-cluster")


def _soft(path: Path, seed: int) -> None:
    coarse = np.random.default_rng(seed).standard_normal((8, 8)).astype(np.float32)
    soft = Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(128 + 40 * np.asarray(soft), 0, 255).astype(np.uint8)).save(path)


def test_a_run_keeps_copies_in_one_group_where_nothing_names_groups(tmp_path: Path) -> None:
    for number in range(24):
        _soft(tmp_path / "set" / "ab"[number % 2] / f"{number}.png", number)
    with Image.open(tmp_path / "set/a/0.png") as image:
        image.save(tmp_path / "set/a/copy.jpg", quality=75)
    data = (f"data.path={tmp_path / 'set'}", "data.layout=null", "data.unlabelled=null")
    recipe = load_recipe("demo", (*data, "data.folds=2", "data.stored_size=48"))
    prepared = prepare_data(Context(recipe, RunFolder(tmp_path / "run"), SilentReporter()))
    group = {sample.name: sample.group for sample in prepared.images.samples}
    assert group["a/copy.jpg"] == group["a/0.png"]
    assert len(set(group.values())) == 24


class _Counts(SilentReporter):
    """What is counted, by its title."""

    def __init__(self) -> None:
        self.told: dict[str, list[tuple[int, int]]] = {}

    def counting(self, title: str) -> Callable[[int, int], None]:
        return lambda done, total: self.told.setdefault(title, []).append((done, total))


def test_hashing_before_the_check_is_counted(tmp_path: Path) -> None:
    for number in range(4):
        name = (
            f"COVID/Covid ({number}).png" if number % 2 else f"non-COVID/Non-Covid ({number}).png"
        )
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        smooth_picture(number).save(tmp_path / "set" / name)
    counts = _Counts()
    check(tmp_path / "set", out=tmp_path / "out", reporter=counts)
    assert {title: told[-1] for title, told in counts.told.items()} == {
        "Looking through files": (4, 4),
        "Reading images": (4, 4),
    }
