from __future__ import annotations

from typing import Any

from medistill.report.checklists import checklists


def test_what_a_run_fills_hangs_on_what_it_holds(metrics: dict[str, Any]) -> None:
    bare = checklists(metrics, {})
    full = checklists(
        {**metrics, "flow": {"a": 1}, "decisions": {"a": 1}, "explanation": {"a": 1}}, {"data": "x"}
    )
    assert [each.title for each in full] == ["CLAIM 2024", "TRIPOD+AI"]
    for before, after in zip(bare, full, strict=True):
        assert len(after.filled) > len(before.filled)
        assert len(before.filled) + len(before.open) == len(after.filled) + len(after.open)
    assert any("reference standard" in item for item in full[0].open)
    assert any("fairness" in item for item in full[1].open)
    harmed = {**metrics, "harm": [{"kind": "subgroup"}]}
    assert any("fairness" in item for item, _ in checklists(harmed, {})[1].filled)
