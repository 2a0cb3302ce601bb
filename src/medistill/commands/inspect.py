"""``medistill inspect``: what a bundle holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bundle = Annotated[Path, typer.Argument(help="Bundle: a folder or a .zip.")]
AsJson = Annotated[bool, typer.Option("--json", help="The manifest itself.")]


def inspect(bundle: Bundle, as_json: AsJson = False) -> None:
    """Verify a bundle and say what it holds. Needs no torch."""
    from medistill.serve.inspecting import inspect_command

    typer.echo(inspect_command(bundle, as_json=as_json))
