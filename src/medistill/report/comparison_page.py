"""A comparison of several runs, as text and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medistill.core.files import write_text
from medistill.report.decision_tables import Grid
from medistill.report.grids import grid_lines
from medistill.report.page import filled
from medistill.report.tables import Cell
from medistill.report.values import interval, number, p_value, signed

SHOWN = (
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "accuracy",
    "dice",
    "iou",
    "hd95",
    "calibration_error",
    "brier",
)


def shown(found: Mapping[str, Any]) -> list[str]:
    """The metrics of the tables; the others stay in comparison.json."""
    return [name for name in SHOWN if name in found["metrics"]]


def model_grid(found: Mapping[str, Any]) -> Grid:
    """One line a model, one column a metric."""
    return Grid(
        caption=f"{found['images']:,} images, {found['groups']:,} groups ({found['group_word']}); "
        f"95 % intervals are over groups, deviations over training seeds{_of_seed(found)}",
        columns=tuple(found["metrics"][name]["title"] for name in shown(found)),
        rows=tuple(
            (f"{row['run']}: {row['role']}", tuple(_model(row, name) for name in shown(found)))
            for row in found["models"]
        ),
    )


def difference_grid(found: Mapping[str, Any]) -> Grid:
    """One line a pair, one column a metric."""
    return Grid(
        caption="Paired differences; p-values by exchange of groups, or of the interval where a "
        "metric is no sum over groups, such as average precision; corrected by Holm over all "
        f"pairs of a metric, while the 95 % intervals are of each pair alone{_of_seed(found)}",
        columns=tuple(found["metrics"][name]["title"] for name in shown(found)),
        rows=tuple(
            (
                f"{row['first']} minus {row['second']}",
                tuple(_difference(row["overall"][name]) for name in shown(found)),
            )
            for row in found["differences"]
        ),
    )


def comparison_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal: who is served worse first."""
    lines = [*found["harm"], *found["notes"], ""]
    for table in (model_grid(found), difference_grid(found)):
        lines += [*grid_lines(table), ""]
    return "\n".join(lines).rstrip()


def write_comparison(path: Path, found: Mapping[str, Any]) -> None:
    """Write one offline HTML page, atomically."""
    page = filled(
        "comparison.html",
        title="Comparison of runs",
        harm=found["harm"],
        notes=found["notes"],
        grids=[model_grid(found), difference_grid(found)],
    )
    write_text(path, page)


def _of_seed(found: Mapping[str, Any]) -> str:
    """Whose figures they are, where a run has several seeds."""
    counts = [len(each["values"]) for row in found["models"] for each in row["seeds"].values()]
    return "; figures are of each run's first training seed" if max(counts, default=1) > 1 else ""


def _model(row: Mapping[str, Any], name: str) -> Cell:
    value, seeds = row["overall"][name], row["seeds"][name]
    note = value["reason"] or ""
    if seeds["sd"] is not None:
        count = len(seeds["values"])
        note = f"{count} seeds {number(seeds['mean'])}, deviation {number(seeds['sd'])}"
    return Cell(
        value=number(value["estimate"]), interval=interval(value["low"], value["high"]), note=note
    )


def _difference(value: Mapping[str, Any]) -> Cell:
    verdict = value["verdict"] if value["verdict"] in ("better", "worse") else ""
    return Cell(
        value=signed(value["estimate"]),
        interval=interval(value["low"], value["high"]),
        note=value["reason"] or p_value(value["corrected"]),
        verdict=verdict,
    )
