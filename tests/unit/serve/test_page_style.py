"""The page's colours are readable in light and dark (WCAG 2.1, level AA)."""

from __future__ import annotations

import importlib.resources

import pytest

from tests.contrast import READABLE, contrast, palettes

CSS = (importlib.resources.files("medistill.serve") / "static/page.css").read_text("utf-8")
MODES = palettes(CSS)
PAIRS = [
    *(
        (text, ground)
        for text in ("text", "quiet", "accent", "bad", "good")
        for ground in ("ground", "panel")
    ),
    ("notice-text", "notice"),
    ("bad", "bad-ground"),
    ("good", "good-ground"),
    ("text", "bad-ground"),
    ("text", "good-ground"),
]


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_is_readable(mode: str, text: str, ground: str) -> None:
    assert contrast(MODES[mode][text], MODES[mode][ground]) >= READABLE
