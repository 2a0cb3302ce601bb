"""``medistill evaluate``: a run or a bundle on another labelled set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medistill.commands.extra import need_train
from medistill.commands.plane import PlaneName

Model = Annotated[Path, typer.Argument(help="Run folder or bundle.")]
Data = Annotated[
    str,
    typer.Option("--data", help="Any labelled set of the same classes, or of some of them."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for the report; MODEL-on-DATA[-SPLIT]-evaluation if not given. An earlier "
        "report of the same model on the same set is replaced, and nothing else.",
    ),
]
Split = Annotated[str | None, typer.Option("--split", help="Only train, val or test of that set.")]
LayoutName = Annotated[
    str | None, typer.Option("--layout", help="Name of its layout, when not recognised.")
]
Plane = Annotated[
    PlaneName | None,
    typer.Option("--plane", help="Along which NIfTI volumes are cut; a run's own if not given."),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable",
        help="Leave images that cannot be read out, named and counted, instead of refusing.",
    ),
]


def evaluate(
    model: Model,
    data: Data,
    out: Out = None,
    split: Split = None,
    layout: LayoutName = None,
    plane: Plane = None,
    skip_unreadable: SkipUnreadable = False,
) -> None:
    """Evaluate a run's student or a bundle on another labelled set."""
    need_train("evaluate")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.external import evaluate as evaluate_external

    evaluate_external(
        model,
        data=data,
        out=out,
        split=split,
        layout=layout,
        plane=plane.value if plane else None,
        skip_unreadable=skip_unreadable,
        reporter=ConsoleReporter(),
    )
