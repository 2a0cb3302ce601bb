from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from medistill.serve.batching import BatchQueue


class Doubler:
    """Doubles numbers, once it is let go, and remembers what ran together."""

    def __init__(self) -> None:
        self.go, self.batches = threading.Event(), list[list[int]]()

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.go.wait(5)
        self.batches.append(list(batch))
        if 13 in batch:
            raise ValueError("thirteen")
        return [2 * item for item in batch]


def test_what_gathered_runs_together_in_order_and_within_the_size() -> None:
    run = Doubler()
    queue = BatchQueue(run, batch_size=3, gather_seconds=0.0, expected=lambda: 9)
    futures = [queue.submit(number) for number in range(7)]
    run.go.set()
    assert [future.result(5) for future in futures] == [0, 2, 4, 6, 8, 10, 12]
    assert [item for batch in run.batches for item in batch] == list(range(7))
    assert max(map(len, run.batches)) == 3
    queue.close()


def test_a_lonely_item_does_not_wait() -> None:
    run = Doubler()
    run.go.set()
    queue = BatchQueue(run, batch_size=8, gather_seconds=5.0, expected=lambda: 1)
    started = time.monotonic()
    assert queue.submit(21).result(5) == 42
    assert time.monotonic() - started < 2.5
    queue.close()


def test_an_expected_item_is_waited_for() -> None:
    run = Doubler()
    run.go.set()
    queue = BatchQueue(run, batch_size=2, gather_seconds=5.0, expected=lambda: 2)
    first = queue.submit(1)
    time.sleep(0.05)
    second = queue.submit(2)
    assert (first.result(5), second.result(5)) == (2, 4)
    assert run.batches == [[1, 2]]
    queue.close()


def test_an_error_reaches_its_batch_and_the_next_batch_is_answered() -> None:
    run = Doubler()
    run.go.set()
    queue = BatchQueue(run, batch_size=1, gather_seconds=0.0, expected=lambda: 1)
    with pytest.raises(ValueError, match="thirteen"):
        queue.submit(13).result(5)
    assert queue.submit(1).result(5) == 2
    assert queue.alive
    queue.close()


def test_closing_answers_what_was_accepted() -> None:
    run = Doubler()
    queue = BatchQueue(run, batch_size=2, gather_seconds=0.0, expected=lambda: 9)
    futures = [queue.submit(number) for number in range(5)]
    threading.Timer(0.05, run.go.set).start()
    queue.close()
    assert [future.result(0) for future in futures] == [0, 2, 4, 6, 8]
    assert not queue.alive


def test_a_cancelled_item_is_left_out() -> None:
    run = Doubler()
    queue = BatchQueue(run, batch_size=4, gather_seconds=0.0, expected=lambda: 9)
    busy = queue.submit(1)
    time.sleep(0.05)
    gone, kept = queue.submit(2), queue.submit(3)
    assert gone.cancel()
    run.go.set()
    assert (busy.result(5), kept.result(5)) == (2, 6)
    assert [2] not in run.batches
    assert all(2 not in batch for batch in run.batches)
    queue.close()
