"""``medistill compare``, ``explain``, ``strange``, ``reproduce``: what finished runs can prove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medistill.commands.extra import need_train

RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.")]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs or evaluations.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for a page and JSON; else printed alone.")
    ] = None,
) -> None:
    """Compare runs on the same images: who is served worse, differences, spread over seeds."""
    need_train("compare")
    from medistill.stages.comparing import compare as compare_runs

    typer.echo(compare_runs(runs, out=out))


def explain(
    run_folder: RunArgument,
    images: Annotated[list[Path], typer.Argument(help="Images or folders of images.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the overlays; RUN/explained if not given. Earlier ones of other "
            "images stay there.",
        ),
    ] = None,
) -> None:
    """Show where a run's teacher and student look on images."""
    need_train("explain")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.overlays import explain_images

    explain_images(run_folder, images, out=out, reporter=ConsoleReporter())


def reproduce(
    run_folder: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the second run; RUN-reproduced if not given."),
    ] = None,
) -> None:
    """Run a finished run again from its manifest, and compare weights and figures."""
    need_train("reproduce")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.reproducing import reproduce as reproduce_run

    raise typer.Exit(reproduce_run(run_folder, out=out, reporter=ConsoleReporter()))


Folders = Annotated[list[Path] | None, typer.Option(help="Folder of images; may be repeated.")]


def strange(
    model: Annotated[Path, typer.Argument(help="Run folder or bundle.")],
    near: Folders = None,
    far: Folders = None,
    known: Annotated[
        Path | None, typer.Option("--known", help="For a bundle: images as it was made for.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for strange.json; else printed alone.")
    ] = None,
) -> None:
    """Count images of other kinds that the trust gate stops, near (same modality) and far."""
    need_train("strange")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.gate_trial import try_gate

    try_gate(
        model, near=near or (), far=far or (), known=known, out=out, reporter=ConsoleReporter()
    )
