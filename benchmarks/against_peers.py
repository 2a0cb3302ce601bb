"""medistill against timm's own distillation and torchdistill, interleaved in one run.

    make bench                                  # the whole comparison
    python -m benchmarks.against_peers --help   # its parts

All systems get the same images, networks, objective, optimiser and number of threads. Each has an
environment and a process of its own; they are loaded together and take turns epoch by epoch. The
networks have random weights, which cost what trained ones cost. Ours shows each view once before
its epochs count, since a training paints a view the first time it is shown; whole runs hold that.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from benchmarks.images import write_images
from benchmarks.summary import Measured, report, table
from benchmarks.turns import MARK
from benchmarks.workload import Precision, Workload
from medistill.core.runtime import hardware_summary, has_fast_bf16

ROOT = Path(__file__).resolve().parent.parent


class System:
    """One system under measurement: a process that does an epoch when told to."""

    def __init__(self, name: str, command: list[str], workload: Path, log: IO[str]) -> None:
        self.name = name
        self.facts: dict[str, object] = {}
        self.seconds: list[float] = []
        threads = str(Workload.read(workload).threads)
        # Waiting systems must leave the cores to the one whose turn it is.
        quiet = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
        program, *arguments = command
        self._process = subprocess.Popen(
            [program, "-m", arguments[0], str(workload), *arguments[1:]],
            cwd=ROOT,
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def __enter__(self) -> System:
        self.facts = dict(self._answer()["ready"])
        return self

    def epoch(self) -> None:
        """One epoch; its seconds are kept."""
        self._input.write("epoch\n")
        self._input.flush()
        self.seconds.append(float(self._answer()["seconds"]))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._input.close()
        self._process.wait(timeout=60)

    @property
    def _input(self) -> IO[str]:
        if self._process.stdin is None:
            raise RuntimeError("the process has no standard input")
        return self._process.stdin

    def _answer(self) -> dict[str, Any]:
        """The next marked line of its output; anything else that it prints is passed over."""
        for line in self._process.stdout or ():
            if line.startswith(MARK):
                answer: dict[str, Any] = json.loads(line.removeprefix(MARK))
                return answer
        raise RuntimeError(f"{self.name} ended early; see its log")


def commands(names: list[str], peers: Path) -> dict[str, list[str]]:
    """How each system is started, its environment's Python first."""
    ours = [sys.executable, "benchmarks.system_medistill"]
    known = {
        "timm": [str(peers / ".venv-timm/bin/python"), "benchmarks.system_timm"],
        "torchdistill": [
            str(peers / ".venv-torchdistill/bin/python"),
            "benchmarks.system_torchdistill",
        ],
        "medistill": [*ours, "cached"],
        "medistill-control": [*ours, "control"],
        "medistill-live": [*ours, "live"],
    }
    return {name: known[name] for name in names}


def measure(workload: Workload, systems: dict[str, list[str]], epochs: int) -> list[Measured]:
    """Load every system, then let them take turns for ``epochs`` epochs that count."""
    folder = Path(workload.folder)
    description = folder / f"workload-{workload.precision}.json"
    replace(workload, epochs=workload.views + epochs).write(description)
    loaded: list[System] = []
    with contextlib.ExitStack() as stack:
        for name, command in systems.items():
            log = stack.enter_context((folder / f"{name}-{workload.precision}.log").open("w"))
            print(f"loading {name}", file=sys.stderr, flush=True)
            loaded.append(stack.enter_context(System(name, command, description, log)))
        for system in loaded:
            for _ in range(warm_up(system.name, workload)):
                system.epoch()
        for number in range(epochs):
            for system in loaded:
                system.epoch()
                said = f"epoch {number + 1}/{epochs}: {system.name} {system.seconds[-1]:.2f} s"
                print(said, file=sys.stderr, flush=True)
    return [
        Measured(
            name=item.name,
            facts=item.facts,
            seconds=tuple(item.seconds),
            warm_up=warm_up(item.name, workload),
        )
        for item in loaded
    ]


def warm_up(name: str, workload: Workload) -> int:
    """Epochs that do not count: one, and for ours one a view."""
    return workload.views if name.startswith("medistill") else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--images", type=int, default=96, help="images an epoch (default 96)")
    add("--size", type=int, default=224)
    add("--batch-size", type=int, default=16)
    add("--classes", type=int, default=2)
    add("--teacher", default="deit_base_patch16_224")
    add("--student", default="deit_tiny_patch16_224")
    add("--epochs", type=int, default=5, help="epochs that count, after the warm-up (default 5)")
    add("--run-epochs", type=int, default=30, help="epochs of the whole run (default 30)")
    add("--views", type=int, default=4, help="cached views an image (default 4)")
    add("--threads", type=int, default=2)
    add("--whole", action="store_true", help="measure as many epochs as the whole run has")
    add("--systems", nargs="+", default=["timm", "torchdistill", "medistill", "medistill-control"])
    add("--peers", type=Path, default=ROOT, help="folder of .venv-timm and .venv-torchdistill")
    add("--out", type=Path, help="write the figures to this JSON file too")
    return parser.parse_args()


def compare(options: argparse.Namespace, folder: Path, precision: Precision) -> dict[str, object]:
    """One comparison at one precision, printed as a table."""
    workload = Workload(
        folder=str(folder),
        images=options.images,
        classes=options.classes,
        size=options.size,
        batch_size=options.batch_size,
        teacher=options.teacher,
        student=options.student,
        epochs=1,
        views=options.views,
        threads=options.threads,
        precision=precision,
    )
    if not (folder / "store").exists():
        write_images(workload)
    epochs = options.run_epochs if options.whole else options.epochs
    measured = measure(workload, commands(options.systems, options.peers), epochs)
    figures = report(measured, workload, options.run_epochs)
    print(table(figures, options.run_epochs, options.views), flush=True)
    return figures


def main() -> None:
    """Compare in float32, and in bfloat16 where the processor computes in it."""
    options = arguments()
    figures: dict[str, object] = {
        "machine": hardware_summary(),
        "options": {name: str(value) for name, value in vars(options).items()},
    }
    with tempfile.TemporaryDirectory() as place:
        figures["float32"] = compare(options, Path(place), "float32")
        if has_fast_bf16():
            figures["bfloat16"] = compare(options, Path(place), "bfloat16")
        else:
            figures["bfloat16"] = "not available on this processor"
            print("\nPrecision bfloat16: not available on this processor.")
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
