"""The report's colours are readable in light, dark and print (WCAG 2.1, level AA)."""

from __future__ import annotations

import importlib.resources

import pytest

from tests.contrast import READABLE, contrast, mixed, palettes

CSS = (importlib.resources.files("medistill.report") / "templates/style.css").read_text("utf-8")
MODES = palettes(CSS)
TEXT = ("ink", "muted", "teacher", "student", "control", "good", "bad")


def test_contrast_by_hand() -> None:
    assert contrast([0, 0, 0], [1, 1, 1]) == pytest.approx(21)
    assert contrast([0x77 / 255] * 3, [1, 1, 1]) == pytest.approx(4.48, abs=0.005)


def test_every_mode_has_its_colours() -> None:
    assert set(MODES) == {"light", "dark", "print"}
    assert MODES["light"]["paper"] == [1, 1, 1]
    assert MODES["dark"]["paper"] != MODES["light"]["paper"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ground", ["paper", "raised"])
@pytest.mark.parametrize("text", TEXT)
def test_text_is_readable(mode: str, ground: str, text: str) -> None:
    assert contrast(MODES[mode][text], MODES[mode][ground]) >= READABLE


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ["teacher", "student", "control"])
def test_counts_on_a_shaded_cell_are_readable(mode: str, role: str) -> None:
    colours = MODES[mode]
    assert "calc(var(--share) * 0.45)" in CSS
    shaded = mixed(colours[role], colours["raised"], 0.45)  # the darkest: all of a class
    assert contrast(colours["ink"], shaded) >= READABLE


def test_no_text_is_faded() -> None:
    assert "opacity" not in CSS  # contrast would not be that of the colours
