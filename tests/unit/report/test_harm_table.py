from __future__ import annotations

from typing import Any

from medistill.report.harm_table import harm_table, has_subgroups


def compared(name: str, kind: str, verdict: str, **more: Any) -> dict[str, Any]:
    return {
        "other": "control",
        "kind": kind,
        "name": name,
        "title": "sensitivity",
        "student": 0.7,
        "against": 0.9,
        "difference": {"estimate": -0.2, "low": -0.3, "high": -0.1},
        "p": 0.001,
        "corrected": 0.004,
        "verdict": verdict,
        "reason": None,
        **more,
    }


def test_worse_undecided_and_not_tested() -> None:
    found = [
        compared("ill", "class", "worse"),
        compared("sex F", "subgroup", "undecided", corrected=0.3),
        compared("site B", "subgroup", "not tested", p=None, reason="too few groups, 4"),
    ]
    table = harm_table({"harm": found})
    assert table is not None
    assert [title for title, _ in table.rows] == [
        "ill, against the control",
        "sex F, against the control",
        "site B, against the control",
    ]
    assert table.caption.endswith("corrected over the 2 of these that could be tested (Holm)")
    cells = [row[1][3] for row in table.rows]
    assert [cell.verdict for cell in cells] == ["worse", "", ""]
    assert [cell.note for cell in cells] == [
        "p = 0.004",
        "p = 0.300",
        "not tested: too few groups, 4",
    ]
    assert cells[0].value == "\N{MINUS SIGN}0.200"
    assert has_subgroups({"harm": found})
    assert not has_subgroups({"harm": found[:1]})


def test_nothing_to_compare() -> None:
    assert harm_table({"harm": []}) is None
    assert harm_table({}) is None
