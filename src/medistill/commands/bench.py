"""``medistill bench``: what everything costs on this machine, or on a smaller one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="Run folder or bundle.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder of bench.json, bench.md and bench.svg; MODEL-bench if not given."
    ),
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Cores; all if not given.")]
Memory = Annotated[str | None, typer.Option("--memory", help="Most data of a process, as 512M.")]
Runs = Annotated[int, typer.Option("--runs", min=1, help="Timed runs.")]


def bench(
    model: Model, out: Out = None, threads: Threads = None, memory: Memory = None, runs: Runs = 50
) -> None:
    """Measure size, arithmetic, latency, throughput and memory. A bundle needs no torch."""
    from medistill.serve.device import parse_memory
    from medistill.stages.bench import bench as run_bench

    folder = out or Path(f"{model.name}-bench")
    limit = None if memory is None else parse_memory(memory)
    typer.echo(run_bench(model, out=folder, threads=threads, memory_bytes=limit, runs=runs))
