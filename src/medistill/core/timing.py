"""Times calls, alone or in turns, so that a busy machine slows all of them alike. Torch-free."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

_WARM_UP = 3


def times_in_turns(calls: Sequence[Callable[[], object]], *, runs: int) -> list[list[float]]:
    """Seconds of each call, one run of each a round, after three untimed rounds.

    Args:
        calls: what to time.
        runs: timed rounds.

    Returns:
        One sorted list a call.
    """
    found: list[list[float]] = [[] for _ in calls]
    for round_ in range(_WARM_UP + runs):
        for call, taken in zip(calls, found, strict=True):
            started = time.perf_counter()
            call()
            seconds = time.perf_counter() - started
            if round_ >= _WARM_UP:
                taken.append(seconds)
    return [sorted(taken) for taken in found]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest-rank percentile: the smallest value that at least ``share`` of all do not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.95)
    4.0
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
