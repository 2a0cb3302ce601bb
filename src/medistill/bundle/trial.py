"""What a variant had to show before it was published. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Measured times of one graph on one machine.

    Attributes:
        threads: that one operator may use.
        batch: images that run together.
        p50_ms: median time of a batch in milliseconds.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        images_per_second: batch over the median.
        runs: timed runs.
    """

    threads: int
    batch: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_second: float
    runs: int


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """A variant's metric minus the network's, on the same images.

    Attributes:
        name: of the metric.
        change: variant minus network.
        low: lower end of the paired 95 % interval; None where there is none.
        high: its upper end.
    """

    name: str
    change: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A graph against the trained network, on the part *calibrate*, and against the clock.

    Attributes:
        metric: how the task's metric moved.
        sensitivity: variant minus network at each one's own operating point, by class name;
            classes without an image are missing.
        sensitivity_bound: largest loss of any class that was allowed.
        agreement_bound: smallest share of equal labels that was allowed.
        reference: name of the graph that it had to be faster than.
        ratio: fastest run of the reference over its own, measured in turns, batch 1, all threads.
        speeds: times on the machine that exported it.
        memory_bytes: largest resident memory of a process that held this graph alone and ran one
            image and then eight; None where the system does not tell.
        file_bytes: length of its files; None where that was not recorded.
    """

    metric: MetricChange | None
    sensitivity: Mapping[str, float]
    sensitivity_bound: float
    agreement_bound: float
    reference: str
    ratio: float
    speeds: tuple[Speed, ...]
    memory_bytes: int | None
    file_bytes: int | None
