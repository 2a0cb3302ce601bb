from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from medistill.report.page import filled


def test_values_are_escaped_and_missing_ones_are_errors() -> None:
    given = {"title": "A <b> & c", "harm": ["lost -0.1"], "notes": [], "grids": []}
    text = filled("comparison.html", **given)
    assert "<title>A &lt;b&gt; &amp; c</title>" in text
    assert "lost \N{MINUS SIGN}0.1" in text
    with pytest.raises(UndefinedError, match="harm"):
        filled("comparison.html", **{name: given[name] for name in ("title", "notes", "grids")})
