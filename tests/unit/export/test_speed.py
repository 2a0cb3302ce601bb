from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from medistill.core import timing
from medistill.export.speed import measured, speed_of, thread_counts


class Clock:
    """A clock that only engines move."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Worker:
    """An engine that takes so many seconds an image."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.batches: set[int] = set()

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        count = len(inputs["image"])
        self.batches.add(count)
        self.clock.now += self.seconds * count
        return []


def test_the_ratio_is_that_of_single_images_over_numbers_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    slow, mid, fast = Worker(clock, 0.02), Worker(clock, 0.01), Worker(clock, 0.005)
    images = np.zeros((3, 1, 2, 2), np.float32)
    ratio, speeds = measured({1: slow, 2: slow}, {1: mid, 2: fast}, images, 2)  # type: ignore[dict-item]
    assert ratio == pytest.approx(8**0.5)  # of 2 and 4
    assert [(s.threads, s.batch) for s in speeds] == [(1, 1), (1, 8), (2, 1), (2, 8)]
    assert [s.p50_ms for s in speeds] == pytest.approx([10, 80, 5, 40])
    assert speeds[3].images_per_second == pytest.approx(200)
    assert fast.batches == {1, 8}


def test_one_thread_and_all() -> None:
    assert thread_counts()[0] == 1
    assert list(thread_counts()) == sorted(set(thread_counts()))


def test_speed_by_hand() -> None:
    found = speed_of([0.001 * n for n in range(1, 101)], threads=2, batch=8)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == pytest.approx((50, 95, 99))
    assert found.images_per_second == pytest.approx(160)
