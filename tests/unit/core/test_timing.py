from __future__ import annotations

import time

import pytest

from medistill.core.timing import percentile, times_in_turns


def test_calls_run_in_turns_and_change_places() -> None:
    said: list[str] = []
    found = times_in_turns([lambda: said.append("a"), lambda: said.append("b")], runs=2)
    assert "".join(said) in ("baabbaabba", "abbaabbaab")
    assert [len(each) for each in found] == [2, 2]


def test_seconds_are_sorted_and_real() -> None:
    ((fast, slow),) = times_in_turns([lambda: time.sleep(0.01)], runs=2)
    assert 0.01 <= fast <= slow < 5


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_nearest_rank(share: float, value: float) -> None:
    assert percentile(list(range(1, 101)), share) == value
