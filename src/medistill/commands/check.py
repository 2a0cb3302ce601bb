"""``medistill check``: whether data are fit to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medistill.commands.extra import need_check
from medistill.commands.plane import Plane, PlaneName


def check(
    data: Annotated[str, typer.Argument(help="Folder, table, npz file or specification.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for check.json and check.html; DATA-check if not given."
        ),
    ] = None,
    layout: Annotated[
        str | None, typer.Option("--layout", help="Name of its layout, when not recognised.")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", help="CT: lung, mediastinum, bone, centre/width.")
    ] = None,
    plane: Plane = PlaneName.AXIAL,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="Run whose teacher may have seen these images.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=0, help="Processes.")] = None,
) -> None:
    """Check whether data are fit to train on: leaks, copies, shortcuts, gray scale, labels."""
    need_check("check")
    from medistill.core.runtime import cpu_threads
    from medistill.stages.check import check as check_data
    from medistill.stages.console import ConsoleReporter

    found = check_data(
        data,
        out=out or Path(f"{Path(data.partition(':')[0]).stem}-check"),
        layout=layout,
        window=window,
        plane=plane.value,
        teacher=teacher,
        workers=cpu_threads() if workers is None else workers,
        reporter=ConsoleReporter(),
    )
    raise typer.Exit(2 if any(finding.severity == "fatal" for finding in found) else 0)
