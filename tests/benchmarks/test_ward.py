from __future__ import annotations

import pytest

from benchmarks import ward
from benchmarks.ward import LARGE, STUDENT, in_blocks, rows_of, table


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_blocks_take_turns_and_their_first_run_is_not_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, order = Clock(), []
    monkeypatch.setattr(ward, "time", clock)

    def call(name: str, seconds: float) -> None:
        order.append(name)
        clock.now += seconds

    calls = {"a": lambda: call("a", 0.5), "b": lambda: call("b", 2.0)}
    taken = in_blocks(calls, rounds=2, seconds=1.0)
    assert "".join(order) == "aaabbaaabb"
    assert taken == {"a": [0.5] * 4, "b": [2.0] * 2}


def test_ratios_are_of_fastest_runs() -> None:
    rows = rows_of({LARGE: [0.3, 0.9], STUDENT: [0.03, 0.04], "int8": [0.01, 0.02, 0.05]})
    assert rows[2] == {
        "name": "int8",
        "fastest_ms": pytest.approx(10),
        "p50_ms": pytest.approx(20),
        "runs": 3,
        "times_student": pytest.approx(3),
        "times_vit_b": pytest.approx(30),
    }
    assert table(rows, "int8").splitlines()[-1] == (
        "| int8 (default) | 10.00 | 20.00 | 3.00 | 30.0 |"
    )
