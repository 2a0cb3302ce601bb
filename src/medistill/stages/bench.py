"""The command ``bench``: what teacher, student, control and each exported variant cost here."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medistill.bundle.bundle import open_bundle
from medistill.bundle.schema import Manifest
from medistill.core.errors import MedistillError, RunFolderError
from medistill.core.files import read_json, write_json, write_text
from medistill.core.run_folder import RECIPE
from medistill.core.runtime import cpu_threads, hardware_summary
from medistill.serve.measuring import Measured, measure_apart
from medistill.stages.bench_table import bench_table

BUNDLE = "bundle"


def bench(
    model: str | Path,
    *,
    out: str | Path,
    threads: int | None = None,
    memory_bytes: int | None = None,
    runs: int = 50,
) -> str:
    """Measure a run or a bundle and write ``bench.json``, ``bench.md`` and ``bench.svg``.

    Each graph, and each network of a run in eager PyTorch, has a process of its own, held to the
    cores and the memory that are given; one runs after the other. The plot needs the accuracies of
    a run's evaluation, and that evaluation and bundle are of the models that the run holds now;
    where they are not, the table says so.

    Args:
        model: run folder or bundle.
        out: folder of the three files; made if it is missing.
        threads: cores; None for all that this process may use.
        memory_bytes: of data; None for no limit.
        runs: timed runs.

    Returns:
        The table.

    Raises:
        MedistillError: no such run or bundle, or the limits are impossible.
    """
    path, folder = Path(model), Path(out)
    cores = threads or cpu_threads()
    if cores > cpu_threads():
        what = f"{cores} threads are more than the {cpu_threads()} that may be used here"
        raise MedistillError(where="--threads", what=what, cure="Give fewer.")
    is_run = (path / RECIPE).is_file()
    if is_run and not (path / BUNDLE).is_dir():
        cure = f"'medistill export {shlex.quote(str(path))}' makes it."
        raise RunFolderError(where=path, what="the run has no bundle yet", cure=cure)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    if is_run:
        from medistill.stages.bench_networks import network_rows, notes_of

        notes = notes_of(path)
        rows += network_rows(path, threads=cores, memory_bytes=memory_bytes, runs=runs)
    rows += _graph_rows(path / BUNDLE if is_run else path, cores, memory_bytes, runs)
    _add_work(rows)
    document = {
        "hardware": hardware_summary(),
        "limits": {"threads": cores, "memory_bytes": memory_bytes},
        "runs": runs,
        "rows": rows,
        "notes": notes,
    }
    table = bench_table(document)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "bench.json", document)
    write_text(folder / "bench.md", table + "\n")
    _plot(rows, _accuracies(path) if is_run and not notes else ("", {}), folder / "bench.svg")
    return table


def _graph_rows(
    path: Path, threads: int, memory_bytes: int | None, runs: int
) -> list[dict[str, Any]]:
    bundle = open_bundle(path)
    graphs = [graph for graph in bundle.manifest.graphs if graph.role == "predict"]
    return [
        _row(
            measure_apart(bundle, graph, threads=threads, memory_bytes=memory_bytes, runs=runs),
            bundle.manifest,
        )
        for graph in graphs
    ]


def _row(found: Measured, manifest: Manifest) -> dict[str, Any]:
    work = {"parameters": manifest.parameters, "multiply_adds": manifest.multiply_adds}
    return {"name": f"student {found.graph}", **work, **dataclasses.asdict(found)}


def _add_work(rows: Sequence[dict[str, Any]]) -> None:
    """FLOP/s, and their share of the machine's own matrix product under the same limits."""
    peak = next((row["peak_flops"] for row in rows if row.get("peak_flops")), None)
    for row in rows:
        work, speed = row.get("multiply_adds"), next(iter(row["speeds"]), None)
        reached = 2 * work / (speed["p50_ms"] / 1e3) if work and speed else None
        row["flops_per_second"] = reached
        row["share_of_peak"] = reached / peak if reached and peak else None


def _accuracies(path: Path) -> tuple[str, Mapping[str, float]]:
    """The headline metric on *evaluate*; a variant has the student's, moved as at the gate.

    Returns:
        The metric's name and the values; none where the run has not been evaluated.
    """
    metrics = path / "evaluation" / "metrics.json"
    if not metrics.is_file():
        return "", {}
    document = read_json(metrics)
    headline, models = document["headline"], document["models"]
    known = {role: models[role]["overall"][headline]["estimate"] for role in models}
    found = {role: value for role, value in known.items() if value is not None}
    if "student" not in found:
        return headline, found
    for graph in open_bundle(path / BUNDLE).manifest.graphs:
        moved = graph.trial.metric.change if graph.trial and graph.trial.metric else 0.0
        found[f"student {graph.name}"] = found["student"] + moved
    return headline, found


def _plot(
    rows: Sequence[Mapping[str, Any]], known: tuple[str, Mapping[str, float]], path: Path
) -> None:
    """Accuracy against latency; nothing where no accuracy is known, nor an earlier plot."""
    metric, accuracies = known
    shown = [row for row in rows if row["speeds"] and row["name"] in accuracies]
    if not shown:
        path.unlink(missing_ok=True)
        return
    from medistill.report.bench_plot import bench_plot

    points = {row["name"]: (row["speeds"][0]["p50_ms"], accuracies[row["name"]]) for row in shown}
    write_text(path, bench_plot(points, metric=f"{metric} on evaluate"))
