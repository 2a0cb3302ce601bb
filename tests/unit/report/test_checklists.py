from __future__ import annotations

import re
from pathlib import Path

import pytest

from medistill.core.types import Task
from medistill.report.checklists import CLAIM, CLAIM_AUTHORS, PLACES, TRIPOD, checklists
from medistill.report.html import write_report
from tests.unit.report.conftest import HISTORY
from tests.unit.report.task_pages import task_metrics, task_page

LINK = re.compile(r'<a href="#([\w-]+)">')


def test_what_a_report_fills_hangs_on_what_it_holds() -> None:
    bare, full = checklists({"answer", "results", "classes", "method"}), checklists(PLACES)
    assert [each.title for each in full] == ["CLAIM 2024", "TRIPOD+AI"]
    for before, after in zip(bare, full, strict=True):
        assert len(after.filled) > len(before.filled)
        assert len(before.filled) + len(before.open) == len(after.filled) + len(after.open)
    assert len(full[0].filled) == len(CLAIM)
    assert len(full[1].filled) == len(TRIPOD)
    assert any("reference standard" in item for item in full[0].open)
    assert any("fairness" in item for item in bare[1].open)


def test_images_left_out_count_only_where_they_were_counted() -> None:
    places = set(PLACES)
    for before, after in zip(checklists(places - {"left-out"}), checklists(places), strict=True):
        now_filled = {item.partition(" ")[0] for item, _ in set(after.filled) - set(before.filled)}
        assert now_filled == ({"12", "35"} if after.title == "CLAIM 2024" else {"11", "20a"})


def test_testing_on_external_data_counts_only_where_the_set_is_another(tmp_path: Path) -> None:
    (own, *_), (other, *_) = checklists(set(PLACES) - {"external"}), checklists(PLACES)
    item = "33 testing on external data (medistill evaluate makes a report of it)"
    assert item in own.open
    assert item not in other.open
    assert (item, ("results", "external")) in other.filled
    metrics = task_metrics("single-label")
    metrics["flow"]["external"] = True
    page = write_report(tmp_path, metrics).read_text(encoding="utf-8")
    assert '<p id="external">These images are another set' in page
    assert f'<li>{item}: <a href="#results">' in page


def test_every_item_of_claim_is_there_once() -> None:
    numbers: list[int] = []
    for item in (*CLAIM, *CLAIM_AUTHORS):
        first, last = re.match(r"(\d+)(?: to (\d+))?", item).groups()  # type: ignore[union-attr]
        numbers += range(int(first), int(last or first) + 1)
    assert sorted(numbers) == list(range(1, 45))


@pytest.mark.parametrize("task", ["single-label", "multi-label", "segmentation"])
def test_what_counts_as_filled_is_in_the_page(task: Task, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(HISTORY)
    page = task_page(tmp_path, task, tmp_path / "history.csv").read_text(encoding="utf-8")
    lists = page[page.index("<summary>CLAIM 2024") :]
    pointed = set(LINK.findall(lists))
    assert {
        "flow",
        "left-out",
        "recipe",
        "subgroups",
        "provenance",
        "results",
        "mistakes",
    } <= pointed
    for id_ in pointed:
        after = page[page.index(f'id="{id_}"') :]
        assert re.search(r"<(table|figure|pre|p|li)\b", after[:2000]), id_
    missing = set(PLACES) - pointed - {"answer"}
    # Masks have no operating point and no explanation; nobody asked about images of other kinds,
    # and the images are the model's own.
    assert missing == {
        "strange",
        "external",
        *(("points", "explanation") if task == "segmentation" else ()),
    }
    assert re.search(r"age 40 to 64.*?against the control", page)
