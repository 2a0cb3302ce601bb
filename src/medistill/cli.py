"""The command line: one command a stage; it parses, calls and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medistill import __version__
from medistill.commands.bench import bench
from medistill.commands.check import check
from medistill.commands.evaluate import evaluate
from medistill.commands.evidence import compare, explain, reproduce, strange
from medistill.commands.extra import need_train
from medistill.commands.inspect import inspect
from medistill.commands.predict import predict
from medistill.commands.serve import serve
from medistill.core.ending import run_program

app = typer.Typer(
    name="medistill",
    help="Distil a large vision model into a small Vision Transformer for medical images, "
    "prove whether it helped, and run it on an ordinary computer. Research use only; "
    "not a medical device.",
    epilog="Begin with 'medistill demo', which needs no data. Then put the images of each class "
    "into a subfolder and give their folder: medistill run kdvit-small-cnn --data FOLDER --out RUN "
    "--dry-run. 'medistill COMMAND --help' explains a command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Folder with one subfolder a class, a CSV table, a published data set, or "
        "phantom[:count=400,size=128].",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Run folder; the same again resumes.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Recipe values to change: train.epochs=5"),
]
SeedsOption = Annotated[
    int | None, typer.Option("--seeds", min=1, help="Train student and control this many times.")
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Bit-identical weights when run again on this machine.")
]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medistill {__version__}")
        raise typer.Exit


for command in (
    bench,
    check,
    compare,
    evaluate,
    explain,
    inspect,
    predict,
    reproduce,
    serve,
    strange,
):
    app.command()(command)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Hold options that every command shares."""


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this recipe.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show values that it leaves out too, and what each means.")
    ] = False,
) -> None:
    """List the shipped recipes, or show one with its comments."""
    from medistill import catalog

    if name is not None and every:
        need_train("recipes --all")
        from medistill.recipe import explained, load_recipe

        typer.echo(explained(load_recipe(name)), nl=False)
        return
    if name is not None:
        typer.echo(catalog.recipe_path(name).read_text(encoding="utf-8"), nl=False)
        return
    known = catalog.recipes()
    width = max(map(len, known))
    for each, path in known.items():
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        typer.echo(f"{each:{width}}  {first}")


@app.command()
def demo(
    out: OutOption = Path("demo-run"),
    overrides: Overrides = None,
) -> None:
    """Show the whole pipeline on embedded phantoms."""
    need_train("demo")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import demo as run_demo

    run_demo(out, overrides=tuple(overrides or ()), reporter=ConsoleReporter())


@app.command(
    epilog="Example: medistill run kdvit-small-cnn --data scans --out runs/first train.epochs=20. "
    "The answer is in RUN/evaluation/report.html, what is shipped in RUN/bundle. 'medistill "
    "recipes' lists the recipes, 'medistill recipes NAME --all' every value that can be changed."
)
def run(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.")],
    overrides: Overrides = None,
    data: DataOption = None,
    out: OutOption = Path("run"),
    seeds: SeedsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan with time, memory and disk; stop.")
    ] = False,
    exact: ExactOption = False,
) -> None:
    """Run all stages: data, teacher, targets, student, control, evaluation, export."""
    need_train("run")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import open_recipe
    from medistill.stages.run import run as run_recipe

    chosen = open_recipe(
        recipe, data=data, overrides=tuple(overrides or ()), seeds=seeds, exact=exact
    )
    if dry_run:
        from medistill.stages.plan import plan

        typer.echo(plan(chosen, out))
        return
    run_recipe(chosen, out=out, reporter=ConsoleReporter())


@app.command()
def teach(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or a YAML file.")],
    overrides: Overrides = None,
    data: DataOption = None,
    out: OutOption = Path("run"),
    seeds: SeedsOption = None,
    exact: ExactOption = False,
) -> None:
    """Run the data and teacher stages only."""
    need_train("teach")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import open_recipe
    from medistill.stages.run import teach as run_teach

    chosen = open_recipe(
        recipe, data=data, overrides=tuple(overrides or ()), seeds=seeds, exact=exact
    )
    run_teach(chosen, out=out, reporter=ConsoleReporter())


@app.command()
def distill(run_folder: RunArgument) -> None:
    """Continue a run up to student and control."""
    need_train("distill")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import distill as run_distill

    run_distill(run_folder, reporter=ConsoleReporter())


@app.command()
def export(run_folder: RunArgument) -> None:
    """Export the student of a finished run as a bundle."""
    need_train("export")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import export as run_export

    run_export(run_folder, reporter=ConsoleReporter())


@app.command()
def verify(
    run_folder: RunArgument,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Views to recompute.")] = 64,
) -> None:
    """Recompute a random sample of a run's cached targets and compare."""
    need_train("verify")
    from medistill.stages.console import ConsoleReporter
    from medistill.stages.run import verify_targets

    verify_targets(run_folder, sample=sample, reporter=ConsoleReporter())


def main() -> None:
    """Run the command line; a user's error is one message and exit code 2."""
    run_program(app, "medistill")
