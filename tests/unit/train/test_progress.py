"""Pace and time left, on a clock of our own."""

from __future__ import annotations

import pytest

from medistill.train import progress
from medistill.train.progress import Pace, silent


def test_time_left_counts_only_what_this_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 102.0, 106.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    pace = Pace(epochs=3, steps_per_epoch=4)
    first = pace.event(4, images=8, loss=None)  # resumed after four steps
    assert (first.epoch, first.epochs, first.step, first.steps) == (2, 3, 5, 12)
    assert (first.seconds, first.eta_seconds, first.images_per_second) == (2.0, 14.0, 4.0)
    second = pace.event(5, images=4, loss=0.5)
    assert (second.eta_seconds, second.images_per_second) == (18.0, 2.0)
    assert second.loss == 0.5
    silent(second)
