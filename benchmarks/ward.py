"""From run to ward: a bundle's variants against the same student, and a ViT-B, in eager PyTorch.

Everything runs in one process with as many threads, in blocks that take turns, so that whatever
else the machine does slows all of them alike. Medians mean something on an idle machine only; the
ratios of fastest runs also on a busy one, since other programs can only add to a time.

Run: python -m benchmarks.ward RUN [--threads N] [--rounds N] [--seconds S] [--out FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medistill.bundle.bundle import Bundle, open_bundle
from medistill.bundle.engine import runs_here
from medistill.core.ending import run_program
from medistill.core.files import write_json
from medistill.core.runtime import cpu_threads, hardware_summary
from medistill.core.timing import percentile
from medistill.models.build import build_model
from medistill.models.network import Network
from medistill.models.spec import ModelSpec
from medistill.serve.session import open_session, runnable
from medistill.stages.bundle import BUNDLE
from medistill.stages.data import prepare_data
from medistill.stages.run import open_run
from medistill.stages.student import open_student

STUDENT, LARGE = "student, eager", "ViT-B at 224, eager"
Call = Callable[[], object]


def in_blocks(calls: Mapping[str, Call], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Sorted seconds of each call; in a round each runs alone for some time, the first run untimed.

    Args:
        calls: by name.
        rounds: how often all take their turn.
        seconds: length of a block; at least one run is timed.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()
            end = time.perf_counter() + seconds
            while True:
                started = time.perf_counter()
                call()
                now = time.perf_counter()
                found[name].append(now - started)
                if now >= end:
                    break
    return {name: sorted(taken) for name, taken in found.items()}


def rows_of(taken: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Milliseconds, and by fastest runs how many times faster than student and ViT-B."""
    return [
        {
            "name": name,
            "fastest_ms": 1e3 * times[0],
            "p50_ms": 1e3 * percentile(times, 0.5),
            "runs": len(times),
            "times_student": taken[STUDENT][0] / times[0],
            "times_vit_b": taken[LARGE][0] / times[0],
        }
        for name, times in taken.items()
    ]


def table(rows: Sequence[Mapping[str, Any]], default: str) -> str:
    """The rows in Markdown; the default variant is marked."""
    lines = [
        "| | fastest ms | p50 ms | times the student | times the ViT-B |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']}{' (default)' if row['name'] == default else ''} "
        f"| {row['fastest_ms']:.2f} | {row['p50_ms']:.2f} | {row['times_student']:.2f} "
        f"| {row['times_vit_b']:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _eager(network: Network) -> Call:
    image = torch.rand((1, *network.input_shape))

    def call() -> object:
        with torch.inference_mode():
            return network(image)

    return call


def _graph(bundle: Bundle, name: str, threads: int) -> Call:
    session = open_session(bundle, graph=name, threads=threads)
    seen = bundle.manifest.preprocessing
    shape = (1, seen.image_channels, seen.size, seen.size)
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    return lambda: session.run(image, "logits")


def _calls(run: Path, threads: int) -> tuple[dict[str, Call], str]:
    """What is timed, and the name of the default variant."""
    context = open_run(run)
    student = open_student(context, prepare_data(context), context.folds()[0], 0, "student")
    student = student.cpu()
    large = build_model(ModelSpec(name="vit_base", image_size=224), classes=2).eval()
    bundle = open_bundle(run / BUNDLE)
    calls = {LARGE: _eager(large), STUDENT: _eager(student)}
    for graph in bundle.manifest.graphs:
        if graph.role == "predict" and runs_here(graph.runtime, graph.precision):
            calls[graph.name] = _graph(bundle, graph.name, threads)
    return calls, runnable(bundle.manifest)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=cpu_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    calls, default = _calls(given.run, given.threads)
    rows = rows_of(in_blocks(calls, rounds=given.rounds, seconds=given.seconds))
    print(table(rows, default))
    if given.out:
        hardware = {**hardware_summary(), "given_threads": given.threads}
        write_json(given.out, {"hardware": hardware, "default": default, "rows": rows})


if __name__ == "__main__":
    run_program(main, "ward")
