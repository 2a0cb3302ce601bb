"""Every experiment matrix names recipes and values that exist."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from benchmarks.matrix import cells
from benchmarks.search import Search
from benchmarks.tables import four_classes, fourteen_labels, three_classes

PLANS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_cell_is_a_recipe(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDISTILL_DATA", "somewhere")
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = list(cells(plan))
    assert len(found) == len(plan["data"]) * len(plan["methods"])
    for _, _, recipe in found:
        assert recipe.seeds == plan["seeds"]
        assert str(recipe.data.path).startswith(("somewhere", "runs/tables/"))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_trial_is_a_recipe_and_no_method_has_more_of_them(path: Path) -> None:
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    search = Search.read(plan)
    if search:
        search.check_students(plan)
    for name in search.trials if search else ():
        for trial in range(len(search.trials[name])):
            for data in plan["data"]:
                assert search.recipe(plan, data, name, trial).train.seed == search.seed


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_a_patient_is_one_group_in_both_pneumonias(tmp_path: Path) -> None:
    for name in (
        "bacterial-pneumonia/person9_bacteria_1.jpg",
        "viral-pneumonia/person9_virus_2.jpg",
        "normal/Normal-1.jpg",
        "covid-19/COVID-1.jpg",
    ):
        image(tmp_path / "cxr-4class" / name)
    rows = four_classes(tmp_path, tmp_path / "tables")
    assert [row["patient"] for row in rows] == ["person9", "COVID-1", "Normal-1", "person9"]
    assert rows[0]["path"] == "../cxr-4class/bacterial-pneumonia/person9_bacteria_1.jpg"
    labels = [row["label"] for row in three_classes(rows)]
    assert sorted(labels) == ["covid-19", "normal", "pneumonia", "pneumonia"]


def test_published_lists_become_splits(tmp_path: Path) -> None:
    folder = tmp_path / "nih-cxr14-sample"
    folder.mkdir()
    (folder / "train_list.txt").write_text("a.png\n")
    (folder / "val_list.txt").write_text("b.png\n")
    with (folder / "Data_Entry_2017.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Image Index", "Finding Labels", "Patient ID"])
        writer.writerows(
            [["a.png", "Mass|Edema", "1"], ["b.png", "No Finding", "2"], ["c.png", "Mass", "3"]]
        )
    rows = fourteen_labels(tmp_path, tmp_path)
    assert [row["split"] for row in rows] == ["train", "val"]
    assert rows[0]["labels"] == "Mass|Edema"
