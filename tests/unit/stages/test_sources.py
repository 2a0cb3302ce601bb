"""When the data stage is made again."""

from __future__ import annotations

import os
from pathlib import Path

from medistill.core.run_folder import RunFolder
from medistill.data.table import read_table
from medistill.recipe import load_recipe
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import prepare_data
from medistill.stages.sources import elsewhere, fingerprint, unchanged
from tests.unit.data.pictures import save_noise


def listing(root: Path) -> Path:
    """A table of 40 images, half of them in a folder that is not the table's."""
    rows = ["path,label,patient"]
    for number in range(40):
        path = root / ("tables/images" if number % 2 else "archive") / f"{number}.png"
        save_noise(path, number)
        rows.append(f"{path},{'ab'[number // 2 % 2]},p{number}")
    table = root / "tables" / "list.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def test_files_that_a_table_lists_elsewhere_are_watched(tmp_path: Path) -> None:
    table = listing(tmp_path)
    images = read_table(table)
    assert elsewhere(images, [str(tmp_path)]) == {}
    states = elsewhere(images, [str(table), "phantom:count=3"])
    assert sorted(states) == sorted(map(str, (tmp_path / "archive").glob("*.png")))
    assert unchanged(states)
    os.utime(tmp_path / "archive/4.png", ns=(1, 1))
    assert not unchanged(states)
    (tmp_path / "archive/4.png").unlink()
    assert not unchanged(states)


def test_a_changed_file_elsewhere_is_read_again(tmp_path: Path) -> None:
    table = listing(tmp_path)
    small = ("data.folds=1", "data.stored_size=16", "data.workers=0")
    recipe = load_recipe("kdvit-small-cnn", (f"data.path={table}", *small))
    context = Context(recipe, RunFolder(tmp_path / "run"), SilentReporter())
    first = prepare_data(context).store.data_hash
    written = (tmp_path / "run/data/store").stat().st_ino
    assert prepare_data(context).store.data_hash == first
    assert (tmp_path / "run/data/store").stat().st_ino == written
    save_noise(tmp_path / "archive/4.png", 400)
    assert prepare_data(context).store.data_hash != first


def test_a_run_beside_a_table_is_no_change_of_the_data(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("path,label\n", encoding="utf-8")
    before = fingerprint(str(table))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("name: demo\n", encoding="utf-8")
    (tmp_path / "run" / "data.bin").write_bytes(b"1")
    assert fingerprint(str(table)) == before
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"1")
    assert fingerprint(str(table)) != before
