"""How a system under measurement talks: it waits for its turn, does one epoch, reports its time.

Several systems are loaded at once, each in its own process, and take turns epoch by epoch, so that
a change in the machine's speed meets all of them alike.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.workload import Workload

MARK = "BENCHMARK "


class Turns:
    """The system's side of the conversation, over standard input and output."""

    def __init__(self) -> None:
        self._start = 0.0

    def ready(self, **facts: object) -> None:
        """Say that all is loaded; ``facts`` go into the result."""
        _say({"ready": facts})

    def wait(self) -> None:
        """Wait for the word to do one epoch, and start the clock; ends the process at the end."""
        line = sys.stdin.readline()
        if line.strip() != "epoch":
            sys.exit(0)
        self._start = time.perf_counter()

    def done(self) -> None:
        """Report the epoch's seconds."""
        _say({"seconds": time.perf_counter() - self._start})


def _say(value: dict[str, object]) -> None:
    print(MARK + json.dumps(value), flush=True)


def workload_from_arguments() -> Workload:
    """The workload whose file is the first argument of the process."""
    return Workload.read(Path(sys.argv[1]))
