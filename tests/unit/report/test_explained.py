from __future__ import annotations

from typing import Any

from medistill.report.explained import Explained


def figure(value: float | None) -> dict[str, Any]:
    reason = None if value is not None else "too few groups"
    return {"estimate": value, "low": None, "high": None, "reason": reason}


def test_measures_become_lines_and_what_is_shared_sentences() -> None:
    values = {
        "images": 12,
        "models": {"student": {"Grad-CAM": {"deletion": figure(0.4), "insertion": figure(0.6)}}},
        "pointing_centre": figure(0.1),
        "agreement": figure(0.25),
        "note": "A note.",
    }
    explained = Explained(values=values)
    assert explained.table.columns == ("Student, Grad-CAM",)
    assert [row[1][0].value for row in explained.table.rows] == ["0.400", "0.600"]
    said = explained.sentences
    assert said[0] == "Pointing always at the middle of the image hits 0.100."
    assert "rank correlation of 0.250" in said[1]
    assert said[2] == "A note."
