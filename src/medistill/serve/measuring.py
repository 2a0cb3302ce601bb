"""Measures one graph of a bundle in a process of its own, so that limits and memory are its own.

Torch-free. Run: python -m medistill.serve.measuring BUNDLE GRAPH THREADS MEMORY_BYTES RUNS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.bundle import Bundle, open_bundle
from medistill.bundle.decoding import decode
from medistill.bundle.schema import Graph
from medistill.bundle.trial import Speed
from medistill.core.errors import MedistillError
from medistill.core.memory import peak_memory_bytes
from medistill.core.timing import percentile, times_in_turns
from medistill.serve.device import constrain, energy_joules, matrix_peak_flops
from medistill.serve.kernels import kernel_shares
from medistill.serve.session import open_session

_NO_LIMIT = "0"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one graph costs here.

    Attributes:
        graph: its name, or that of a network.
        file_bytes: of its files.
        speeds: at batch 1 and 8.
        peak_memory_bytes: of the whole process, interpreter included; None where unknown.
        joules_per_image: of the whole processor at batch 1; None where the machine tells nothing.
        kernels: share of the time, in [0, 1], of each kind of kernel; empty where unknown.
        peak_flops: of the machine's own matrix product under the same limits, a second.
        enforced: whether the system held the process to its limits.
        problem: why there is no figure, as a clause; None with some.
    """

    graph: str
    file_bytes: int
    speeds: tuple[Speed, ...]
    peak_memory_bytes: int | None
    joules_per_image: float | None
    kernels: dict[str, float]
    peak_flops: float | None
    enforced: bool
    problem: str | None


def measure_apart(
    bundle: Bundle, graph: Graph, *, threads: int, memory_bytes: int | None, runs: int
) -> Measured:
    """Measure a graph in a new process under limits.

    Args:
        bundle: an opened bundle.
        graph: one of its graphs.
        threads: cores and threads.
        memory_bytes: of data; None for no limit.
        runs: timed runs a batch size.
    """
    return measured_by(
        "medistill.serve.measuring",
        [str(bundle.path), graph.name],
        name=graph.name,
        file_bytes=sum(bundle.manifest.files[name].size for name in graph.files),
        threads=threads,
        memory_bytes=memory_bytes,
        runs=runs,
    )


def measured_by(
    module: str,
    subject: list[str],
    *,
    name: str,
    file_bytes: int,
    threads: int,
    memory_bytes: int | None,
    runs: int,
) -> Measured:
    """What a module's own process printed, or why it failed.

    Args:
        module: to run with ``-m``; it takes the subject, threads, bytes of memory and runs, and
            prints what ``figures`` gives as its last line.
        subject: its first arguments.
        name: of what is measured.
        file_bytes: of its files.
        threads: cores and threads.
        memory_bytes: of data; None for no limit.
        runs: timed runs a batch size.
    """
    limits = [str(threads), str(memory_bytes or _NO_LIMIT), str(runs)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    environment |= {"OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-m", module, *subject, *limits],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        # decode knows no dict; the kernels are names and numbers of our own process.
        said = json.loads(done.stdout.splitlines()[-1])
        speeds = tuple(decode(Speed, item) for item in said.pop("speeds"))
        return Measured(graph=name, speeds=speeds, file_bytes=file_bytes, problem=None, **said)
    last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:250].rstrip(".")
    return failed(name, file_bytes, f"it does not run under these limits ({last})")


def failed(graph: str, size: int, why: str) -> Measured:
    """No figures, with the reason."""
    return Measured(
        graph=graph,
        file_bytes=size,
        speeds=(),
        peak_memory_bytes=None,
        joules_per_image=None,
        kernels={},
        peak_flops=None,
        enforced=True,
        problem=why,
    )


def figures(
    run: Callable[[NDArray[np.float32]], object],
    kernels: Callable[[], dict[str, float]],
    *,
    shape: tuple[int, ...],
    threads: int,
    runs: int,
    enforced: bool,
) -> dict[str, Any]:
    """Everything that ``Measured`` holds of a call, but its name and files.

    Args:
        run: takes a batch, (B, C, S, S) in [0, 1].
        kernels: asked last, since a profile takes memory.
        shape: (C, S, S).
        threads: that it was given.
        runs: timed runs a batch size.
        enforced: whether the limits hold.
    """
    random = np.random.default_rng(0)
    speeds, joules = [], None
    for batch in (1, 8):
        images = random.random((batch, *shape), dtype=np.float32)
        before = energy_joules()
        (taken,) = times_in_turns([lambda i=images: run(i)], runs=runs)  # type: ignore[misc]
        after = energy_joules()
        speeds.append(asdict(_speed(taken, threads, batch)))
        if batch == 1 and before is not None and after is not None and after > before:
            joules = (after - before) / (runs + 3)
    peak = peak_memory_bytes()
    return {
        "speeds": speeds,
        "peak_memory_bytes": peak,
        "joules_per_image": joules,
        "kernels": kernels(),
        "peak_flops": matrix_peak_flops(),
        "enforced": enforced,
    }


def measure_here(
    path: Path, name: str, *, threads: int, memory_bytes: int | None, runs: int
) -> dict[str, Any]:
    """Measure a graph in this process; its limits stay."""
    enforced = constrain(threads=threads, memory_bytes=memory_bytes)
    bundle = open_bundle(path)
    session = open_session(bundle, graph=name, threads=threads)
    seen = bundle.manifest.preprocessing
    shape = (seen.image_channels, seen.size, seen.size)
    outputs = [output for output, held in session.graph.outputs.items() if held == "logits"]
    return figures(
        lambda images: session.run_many(images, outputs),
        lambda: kernel_shares(bundle, session.graph, threads=threads, shape=shape),
        shape=shape,
        threads=threads,
        runs=runs,
        enforced=enforced,
    )


def _speed(taken: list[float], threads: int, batch: int) -> Speed:
    p50, p95, p99 = (percentile(taken, share) for share in (0.5, 0.95, 0.99))
    return Speed(
        threads=threads,
        batch=batch,
        p50_ms=1e3 * p50,
        p95_ms=1e3 * p95,
        p99_ms=1e3 * p99,
        images_per_second=batch / p50,
        runs=len(taken),
    )


def tell(measure: Callable[[], dict[str, Any]]) -> None:
    """Print what is measured as one line of JSON; a user's error on standard error instead."""
    try:
        sys.stdout.write(json.dumps(measure()) + "\n")
    except MedistillError as error:
        sys.exit(str(error))


def main(arguments: list[str]) -> None:
    """Measure what the arguments name, and print it."""
    path, name, threads, memory, runs = arguments
    tell(
        lambda: measure_here(
            Path(path),
            name,
            threads=int(threads),
            memory_bytes=int(memory) or None,
            runs=int(runs),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
