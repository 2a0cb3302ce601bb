"""The report in a real browser: no script errors, no outside requests, nothing beyond the width.

Needs Chromium. Without it these tests skip, unless MEDISTILL_NEEDS_BROWSER is set, as it is in CI.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medistill.report.html import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# A frame, because a headless window is never narrower than 500 pixels.
FRAME = """<!doctype html><iframe id="f" width="{width}" height="900" srcdoc="{page}"></iframe>
<pre id="said"></pre><script>
const frame = document.getElementById("f");
frame.addEventListener("load", () => {{
  const inner = frame.contentDocument, root = inner.scrollingElement;
  const loaded = frame.contentWindow.performance.getEntriesByType("resource").map((e) => e.name);
  document.getElementById("said").textContent = JSON.stringify({{
    width: root.scrollWidth, shown: frame.clientWidth,
    outside: loaded.filter((name) => !name.startsWith("data:")),
    unnamed: [...inner.querySelectorAll("img:not([alt]), svg:not([aria-label])")].length,
    headings: [...inner.querySelectorAll("h1")].length,
    lost: [...inner.querySelectorAll("nav a")].filter(
      (a) => !inner.querySelector(a.getAttribute("href"))).length,
    unreachable: [...inner.querySelectorAll(".scroll")].filter((e) => e.tabIndex !== 0).length,
  }});
}});
</script>"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    if CHROMIUM is None:
        if os.environ.get("MEDISTILL_NEEDS_BROWSER"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("needs Chromium: apt-get install chromium")


def measured(tmp_path: Path, page: str, width: int) -> dict[str, Any]:
    """What the browser says of a page in a frame of this width."""
    wrapped = tmp_path / "frame.html"
    wrapped.write_text(FRAME.format(width=width, page=html.escape(page)), encoding="utf-8")
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1600,1000",
        "--virtual-time-budget=5000",
        "--dump-dom",
        wrapped.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    said = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said, done.stdout[-500:]
    found: dict[str, Any] = json.loads(html.unescape(said.group(1)))
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_is_whole_at_desktop_and_phone_width(
    metrics: dict[str, Any], tmp_path: Path, width: int
) -> None:
    page = write_report(tmp_path, metrics, provenance={"data": "f" * 64}).read_text()
    found = measured(tmp_path, page, width)
    assert found["width"] <= found["shown"]
    assert found["outside"] == []
    assert found["unnamed"] == found["lost"] == found["unreachable"] == 0
    assert found["headings"] == 1


def test_the_test_notices_what_it_should(tmp_path: Path) -> None:
    wide = "<!doctype html><nav><a href='#x'>x</a></nav><div style='width:900px'>.</div><img>"
    found = measured(tmp_path, wide, 390)
    assert found["width"] > found["shown"]
    assert (found["lost"], found["unnamed"]) == (1, 1)
    with pytest.raises(AssertionError, match="CONSOLE"):
        measured(tmp_path, "<!doctype html><script>throw Error('broken')</script>", 390)
