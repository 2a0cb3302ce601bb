"""What the export gate found, as one offline page: who left, who did not, and why."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medistill.core.files import write_text
from medistill.report.decision_tables import Grid
from medistill.report.page import filled
from medistill.report.tables import Cell
from medistill.report.values import interval, signed

_LINK = '<li><a href="#exported">Exported</a></li>'


def write_gate_page(path: Path, found: Mapping[str, Any]) -> None:
    """Write the page, atomically.

    Args:
        path: file to write.
        found: the content of gate.json.
    """
    title = "What was exported, and what was not"
    write_text(path, filled("gate.html", title=title, **_shown(found)))


def show_in_report(report: Path, page: Path, found: Mapping[str, Any]) -> None:
    """Say the same in the report of an evaluation, which was written before anything was exported.

    Args:
        report: written by ``write_report``; what it said of an earlier export is replaced.
        page: written by ``write_gate_page``.
        found: the content of gate.json.
    """
    address = Path(os.path.relpath(page, report.parent)).as_posix()
    section = filled("gate_section.html", address=address, **_shown(found))
    text = report.read_text(encoding="utf-8")
    text = _placed(report.read_text(encoding="utf-8"), "link", _LINK)
    write_text(report, _placed(text, "section", section))


def _placed(text: str, place: str, said: str) -> str:
    """The page with words at a marked place, instead of what an earlier export said there."""
    earlier = r"(?:(?:(?!<!-- ).)*?<!-- exported: end -->)?"
    mark = f"<!-- exported: {place} -->"
    whole = f"{mark}\n{said}\n<!-- exported: end -->"
    return re.sub(mark + earlier, lambda _: whole, text, flags=re.DOTALL)


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    judged = [each for each in found["variants"] if each["trial"] is not None]
    return {
        "hardware": found["hardware"],
        "refused": [
            (each["name"], each["refusal"]) for each in found["variants"] if each["refusal"]
        ],
        "default": _fastest(judged),
        "grids": [fidelity_grid(judged, found["images"]), speed_grid(judged)],
    }


def _fastest(judged: list[Mapping[str, Any]]) -> str:
    """The bundle's default; float32 is always published."""
    published = [each for each in judged if each["published"]]
    return str(max(published, key=lambda each: each["trial"]["ratio"])["name"])


def fidelity_grid(judged: list[Mapping[str, Any]], images: int) -> Grid:
    """How far each variant is from the trained network."""
    return Grid(
        caption=f"Against the trained network, on {images:,} calibration images, in batches and "
        "again one by one: the worse counts. 95 % intervals are paired, over groups; sensitivities "
        "at each one's own operating point",
        columns=(
            "Published",
            "Largest difference",
            "Between batches and one by one",
            "Same labels",
            "Metric",
            "Sensitivity at worst",
        ),
        rows=tuple((each["name"], _fidelity(each)) for each in judged),
    )


def speed_grid(judged: list[Mapping[str, Any]]) -> Grid:
    """What each variant costs."""
    speeds = judged[0]["trial"]["speeds"]
    heads = [_speed_head(speed) for speed in speeds]
    return Grid(
        caption="Times on this machine: median (95th, 99th percentile) of a batch in ms, images a "
        "second; the ratio compares fastest runs at batch 1, in turns with float32",
        columns=("Times as fast", *heads, "Memory, MB", "Files, MB"),
        rows=tuple((each["name"], _cost(each["trial"])) for each in judged),
    )


def _fidelity(each: Mapping[str, Any]) -> tuple[Cell, ...]:
    parity, trial = each["parity"], each["trial"]
    metric, moved = trial["metric"], trial["sensitivity"]
    name, worst = min(moved.items(), key=lambda item: item[1], default=("", None))
    cells = [
        Cell(value="yes" if each["published"] else "no"),
        Cell(value=f"{parity['largest_difference']:.2g}"),
        _difference(each.get("batch_difference")),
        Cell(value=f"{parity['agreement']:.2%}"),
        Cell(value="not defined"),
        Cell(value="not defined" if worst is None else signed(worst), note=name),
    ]
    if metric is not None:
        span = interval(metric["low"], metric["high"])
        cells[4] = Cell(value=signed(metric["change"]), interval=span, note=metric["name"])
    return tuple(cells)


def _cost(trial: Mapping[str, Any]) -> tuple[Cell, ...]:
    times = [
        Cell(
            value=f"{speed['p50_ms']:.2f}",
            interval=f"{speed['p95_ms']:.2f}, {speed['p99_ms']:.2f}",
            note=f"{speed['images_per_second']:.1f} images/s",
        )
        for speed in trial["speeds"]
    ]
    memory = [_megabytes(trial["memory_bytes"], 0), _megabytes(trial["file_bytes"], 2)]
    return (Cell(value=f"{trial['ratio']:.2f}"), *times, *memory)


def _difference(value: float | None) -> Cell:
    return Cell(value="unknown" if value is None else f"{value:.2g}")


def _megabytes(size: int | None, digits: int) -> Cell:
    return Cell(value="unknown" if size is None else f"{size / 1e6:.{digits}f}")


def _speed_head(speed: Mapping[str, Any]) -> str:
    threads = "1 thread" if speed["threads"] == 1 else f"{speed['threads']} threads"
    return f"{threads}, batch {speed['batch']}"
