"""Times of graphs on this machine, in turns with a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.engine import Engine, open_engine
from medistill.bundle.trial import Speed
from medistill.core.runtime import cpu_threads
from medistill.core.timing import percentile, times_in_turns
from medistill.export.onnx_graph import INPUT
from medistill.export.variants import Variant


def thread_counts() -> tuple[int, ...]:
    """One thread, and all that this process may use."""
    return tuple(sorted({1, cpu_threads()}))


def open_files(folder: Path, variant: Variant, threads: int) -> Engine:
    """An engine for the files of a variant."""
    return open_engine(
        [(folder / name).read_bytes() for name in variant.files],
        runtime=variant.runtime,
        precision=variant.precision,
        threads=threads,
    )


def measured(
    reference: Mapping[int, Engine],
    engines: Mapping[int, Engine],
    images: NDArray[np.float32],
    runs: int,
) -> tuple[float, tuple[Speed, ...]]:
    """How many times faster than the reference, and times at batch 1 and 8.

    The ratio is that of the fastest runs at batch 1, where both ran in turns: the geometric mean of
    those with one thread and with all of them.

    Args:
        reference: an engine by number of threads.
        engines: what is measured, for the same numbers; at least one.
        images: (N, C, S, S), at least one.
        runs: timed runs of each.
    """
    speeds: list[Speed] = []
    ratios: list[float] = []
    for threads, engine in engines.items():
        for batch in (1, 8):
            rows = {
                INPUT: np.ascontiguousarray(np.resize(images[:batch], (batch, *images.shape[1:])))
            }
            calls = [partial(each.run, ["logits"], rows) for each in (reference[threads], engine)]
            slow, fast = times_in_turns(calls, runs=runs)
            speeds.append(speed_of(fast, threads=threads, batch=batch))
            if batch == 1:
                # The fastest runs: other programs can add to a time, and never take from it.
                ratios.append(slow[0] / fast[0])
    return geometric_mean(ratios), tuple(speeds)


def speed_of(ordered: Sequence[float], *, threads: int, batch: int) -> Speed:
    """Percentiles of sorted seconds."""
    median = percentile(ordered, 0.5)
    return Speed(
        threads=threads,
        batch=batch,
        p50_ms=1e3 * median,
        p95_ms=1e3 * percentile(ordered, 0.95),
        p99_ms=1e3 * percentile(ordered, 0.99),
        images_per_second=batch / median,
        runs=len(ordered),
    )
