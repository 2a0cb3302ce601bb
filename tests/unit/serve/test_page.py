"""The page, end to end in headless Chromium; skips where there is none."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.unit.imaging.dicom_files import save
from tests.unit.serve.segmenting import segmenting_bundle
from tests.unit.serve.serving import explaining_bundle, png, running

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
KEY = "a-key-for-this-page"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "key").write_text(KEY)
    with running(explaining_bundle(folder / "b"), "--key-file", folder / "key") as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    """The page with its key given; whatever it asks another machine for fails the test."""
    context = browser.new_context(accept_downloads=True)
    opened = context.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    opened.goto(address)
    opened.locator("#key").fill(KEY)
    opened.locator("#key-form button").click()
    expect(opened.locator("#name")).to_have_text("by-hand")
    yield opened
    outside = [url for url in asked if not url.startswith((address, "blob:", "data:"))]
    assert not outside
    context.close()


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    deep = np.full((40, 60), 20_000, np.uint16)
    deep[10:20, 30:45] = 40_000
    Image.fromarray(deep).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no image at all")
    (tmp_path / "=3.png").write_bytes(png(51, (64, 48)))
    return [tmp_path / name for name in ("1.png", "2.png", "=3.png")]


def upload(page: Page, images: list[Path]) -> None:
    page.locator("#files").set_input_files(images)
    expect(page.locator("#status")).to_have_text("2 predicted, 1 could not be read")
    expect(page.locator("#overlay-note")).to_contain_text("evidence for")


def pixel(page: Page, canvas: str, x: int, y: int) -> list[int]:
    script = """([id, x, y]) => {
        const context = document.getElementById(id).getContext('2d');
        return [...context.getImageData(x, y, 1, 1).data];
    }"""
    found: list[int] = page.evaluate(script, [canvas, x, y])
    return found


def test_upload_shows_answer_picture_overlay_and_notice(page: Page, images: list[Path]) -> None:
    expect(page.locator("#notice")).to_contain_text("research use only")
    upload(page, images)
    rows = page.locator("#worklist tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#label")).to_have_text("At the operating point: ill")
    expect(page.locator(".bar.held")).to_contain_text("ill")
    expect(page.locator("#bars meter")).to_have_count(2)
    assert pixel(page, "picture", 0, 0)[:3] == [78, 78, 78]  # 20,000 of 65,535
    assert pixel(page, "overlay", 36, 15)[3] > pixel(page, "overlay", 3, 36)[3]


def test_window_sliders_and_opacity(page: Page, images: list[Path]) -> None:
    upload(page, images)
    page.locator("#width").fill("20")
    page.locator("#centre").fill("30")
    # The window reaches from 20 % to 40 %; 20,000 is 30.52 % and lies at 52.6 %.
    assert pixel(page, "picture", 0, 0)[0] == pytest.approx(134, abs=1)
    assert pixel(page, "picture", 36, 15)[0] == 255
    expect(page.locator("#width-value")).to_have_text("20 %")
    shown = pixel(page, "overlay", 36, 15)[3]
    page.locator("#opacity").fill("0")
    assert (shown > 0, pixel(page, "overlay", 36, 15)[3]) == (True, 0)
    page.locator("#reset").click()
    assert pixel(page, "picture", 0, 0)[0] == 78


def test_keyboard_and_the_error_of_a_bad_file(page: Page, images: list[Path]) -> None:
    upload(page, images)
    page.locator("#worklist").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#problem")).to_have_text(
        "2.png: is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI."
    )
    expect(page.locator("#answer")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#picture-title")).to_have_text("=3.png")
    expect(page.locator("#stage")).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()


def test_worklist_as_csv_without_formulas(page: Page, images: list[Path]) -> None:
    upload(page, images)
    with page.expect_download() as download:
        page.locator("#csv").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    head, first, bad, last = csv.reader(io.StringIO(text))
    assert head[:4] == ["file", "label", "ill", "well"]
    assert (first[0], first[1]) == ("1.png", "ill")
    assert "is not a PNG" in bad[-1]
    assert last[0] == "'=3.png"
    assert float(last[2]) == pytest.approx(0.83201838, abs=1e-6)


def test_a_phone_needs_no_sideways_scrolling_and_dark_is_dark(
    page: Page, images: list[Path]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    upload(page, images)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(16, 22, 28)"


def test_a_mask_lies_over_its_picture(browser: Any, tmp_path: Path) -> None:
    Image.fromarray(np.pad(np.full((16, 16), 255, np.uint8), ((0, 16), (16, 0)))).save(
        tmp_path / "a.png"
    )
    with running(segmenting_bundle(tmp_path / "b")) as (address, _):
        page = browser.new_page()
        page.goto(address)
        page.locator("#files").set_input_files(tmp_path / "a.png")
        expect(page.locator("#overlay-note")).to_contain_text("mask")
        expect(page.locator("#label")).to_contain_text("In the mask: ")
        expect(page.locator("#rule")).to_have_text("Areas")
        expect(page.locator("#mask-key")).to_contain_text("lesion")
        expect(page.locator("#bars")).to_contain_text("25.0 %")
        expect(page.locator("#worklist tbody td").nth(2)).to_have_text("0.250")
        expect(page.locator("#operating")).to_contain_text("Each pixel is of one class")
        inside, outside = pixel(page, "overlay", 24, 8), pixel(page, "overlay", 8, 24)
        assert (inside[3] > 50, outside[3]) == (True, 0)
        page.locator("#opacity").fill("0")
        assert pixel(page, "overlay", 24, 8)[3] == 0
        page.close()


def test_a_foreign_picture_is_flagged_in_words(browser: Any, tmp_path: Path) -> None:
    known = {"acquisition": {"modalities": ["CT"], "body_parts": ["CHEST"]}}
    save(tmp_path / "knee", np.full((8, 8), 51, np.uint8), Modality="MR", BodyPartExamined="KNEE")
    with running(explaining_bundle(tmp_path / "b", **known)) as (address, _):
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#about")).to_contain_text("trained on CT, CHEST")
        page.locator("#files").set_input_files(tmp_path / "knee")
        expect(page.locator("#trust")).to_have_text(
            "Do not trust this answer. Its modality is MR; the student was trained on CT. "
            "Its body part is KNEE; the student was trained on CHEST."
        )
        expect(page.locator("#worklist tbody")).to_contain_text("do not trust")
        page.close()


def test_everything_has_a_name_and_the_card_is_there(page: Page) -> None:
    page.locator("summary").click()
    expect(page.locator("#card")).to_contain_text("research use only")
    for control in page.locator("input:visible, button:visible").all():
        script = "e => (e.labels && e.labels[0]?.textContent || e.textContent).trim()"
        assert control.evaluate(script)
