"""The reports in a real browser: no script errors, no outside requests, nothing beyond the width.

Needs Chromium. Without it these tests skip, unless MEDISTILL_NEEDS_BROWSER is set, as it is in CI.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from medistill.core.types import Task
from tests.unit.report.conftest import HISTORY
from tests.unit.report.task_pages import task_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TASKS: tuple[Task, ...] = ("single-label", "multi-label", "segmentation")
# The breadth of a sheet of A4 between the margins that the style gives it, at 96 dots an inch.
SHEET = round((210 - 2 * 14) / 25.4 * 96)
LOOK = """() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const named = (e) => e.getAttribute("aria-label")
    || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent;
  const levels = all("h1, h2, h3, h4").map((e) => +e.tagName[1]);
  return {
    width: document.scrollingElement.scrollWidth,
    cut: all(".scroll").filter((e) => e.scrollWidth > e.clientWidth).length,
    broken: all("img").filter((e) => !e.complete || !e.naturalWidth).length,
    unnamed: all("img, svg").filter((e) => !(e.alt || named(e))).length
      + all("section, nav, .scroll").filter((e) => !named(e)).length,
    twins: ((names) => names.length - new Set(names).size)(
      all("section, nav, .scroll").map((e) => named(e)?.trim())),
    landmarks: ["main", "header", "footer", "nav", "h1"].map((name) => all(name).length),
    headings: levels.filter((level, n) => n && level > levels[n - 1] + 1).length,
    lost: all("a[href^='#']").filter((a) => !document.querySelector(a.getAttribute("href"))).length,
    unreachable: all(".scroll").filter((e) => e.tabIndex !== 0).length,
    headless: all("table").filter((t) => !t.caption?.textContent.trim()
      || [...t.querySelectorAll("th")].some((h) => !h.scope || !h.textContent.trim())
      || [...t.querySelectorAll("tbody tr")].some((row) => !row.querySelector("th"))).length,
  };
}"""
SOUND = {
    "broken": 0,
    "unnamed": 0,
    "twins": 0,
    "landmarks": [1, 1, 1, 1, 1],
    "headings": 0,
    "lost": 0,
    "unreachable": 0,
    "headless": 0,
}


@dataclass
class Seen:
    """An open page, what it asked for beside itself, and what went wrong in it."""

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def look(self) -> dict[str, Any]:
        """What stands in the page."""
        found: dict[str, Any] = self.page.evaluate(LOOK)
        return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("MEDISTILL_NEEDS_BROWSER"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def see(browser: Browser) -> Iterator[Callable[[Path, int], Seen]]:
    """Opens a file in a window of this width."""
    opened = []

    def open_page(path: Path, width: int) -> Seen:
        page = browser.new_page(viewport={"width": width, "height": 900})
        opened.append(page)
        seen = Seen(page)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("console", lambda line: seen.errors.append(line.text))
        page.goto(path.as_uri())
        seen.asked = [
            url for url in seen.asked if url != path.as_uri() and not url.startswith("data:")
        ]
        return seen

    yield open_page
    for page in opened:
        page.close()


@pytest.fixture(scope="module", params=TASKS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of each task with every section."""
    folder = tmp_path_factory.mktemp(request.param)
    history = folder / "history.csv"
    history.write_text(HISTORY)
    return task_page(folder, request.param, history)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_is_whole_and_named_at_desktop_and_phone_width(
    see: Callable[[Path, int], Seen], report: Path, width: int
) -> None:
    seen = see(report, width)
    found = seen.look()
    assert seen.asked == seen.errors == []
    assert found["width"] <= width
    assert {key: found[key] for key in SOUND} == SOUND


def test_a_printed_report_cuts_nothing_off(
    see: Callable[[Path, int], Seen], report: Path, tmp_path: Path
) -> None:
    seen = see(report, SHEET)
    seen.page.emulate_media(media="print")
    found = seen.look()
    assert found["width"] <= SHEET
    assert found["cut"] == 0
    seen.page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_test_notices_what_it_should(see: Callable[[Path, int], Seen], tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><h1>x</h1><h3>y</h3><nav><a href='#x'>x</a></nav><img src='no.png'>"
        "<div class='scroll' style='width:500px'><div style='width:900px'>.</div></div>"
        "<table><tr><td>1</td></tr></table><script>throw Error('broken')</script>"
    )
    seen = see(bad, 390)
    found = seen.look()
    assert found["width"] > 390
    assert (found["lost"], found["broken"], found["headings"]) == (1, 1, 1)
    assert (found["unreachable"], found["headless"], found["cut"]) == (1, 1, 1)
    assert found["unnamed"] == 3  # the picture, the links and the box
    assert found["twins"] == 1  # neither has a name
    assert found["landmarks"] == [0, 0, 0, 1, 1]
    assert seen.asked == [(tmp_path / "no.png").as_uri()]
    assert any("broken" in error for error in seen.errors)
