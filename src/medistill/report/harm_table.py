"""Every class and subgroup against the teacher and the control, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medistill.report.decision_tables import Grid
from medistill.report.tables import Cell
from medistill.report.values import interval, number, p_value, signed


def harm_table(metrics: Mapping[str, Any]) -> Grid | None:
    """What was compared and how it came out, tested or not; None where there is nothing."""
    found = metrics.get("harm") or ()
    if not found:
        return None
    return Grid(
        caption="Student minus the other model, with 95 % intervals; p-values are corrected over "
        f"the {sum(each['p'] is not None for each in found):,} of these that could be tested "
        "(Holm)",
        columns=("Metric", "Student", "Other model", "Difference"),
        rows=tuple(
            (f"{each['name']}, against the {each['other']}", _cells(each)) for each in found
        ),
    )


def has_subgroups(metrics: Mapping[str, Any]) -> bool:
    """Whether anything but the classes was compared."""
    return any(each["kind"] == "subgroup" for each in metrics.get("harm") or ())


def _cells(each: Mapping[str, Any]) -> tuple[Cell, ...]:
    difference, verdict = each["difference"], each["verdict"]
    told = verdict if verdict in ("better", "worse") else ""
    note = p_value(each["corrected"]) if each["p"] is not None else f"not tested: {each['reason']}"
    return (
        Cell(value=each["title"]),
        Cell(value=number(each["student"])),
        Cell(value=number(each["against"])),
        Cell(
            value=signed(difference["estimate"]),
            interval=interval(difference["low"], difference["high"]),
            note=note,
            verdict=told,
        ),
    )
