"""Times calls, alone or in turns, so that a busy machine slows all of them alike. Torch-free."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

_WARM_UP = 3


def times_in_turns(calls: Sequence[Callable[[], object]], *, runs: int) -> list[list[float]]:
    """Seconds of each call, one run of each a round, after three untimed rounds.

    Every other round goes backwards: who always runs second would profit from, or pay for, the
    slices of time that a scheduler gives.

    Args:
        calls: what to time.
        runs: timed rounds.

    Returns:
        One sorted list a call.
    """
    found: list[list[float]] = [[] for _ in calls]
    turns = list(zip(calls, found, strict=True))
    for round_ in range(_WARM_UP + runs):
        for call, taken in turns if round_ % 2 else reversed(turns):
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
