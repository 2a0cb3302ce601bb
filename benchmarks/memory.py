"""Whether the largest memory of a run grows with the number of images.

    python -m benchmarks.memory --images 1000 8000 --out /tmp/memory [--probe]

Files are generated; nothing else is needed. For each number of images a process of its own reads
and checks them, fits a small teacher (or a probe on EfficientNet-Lite0's published weights), caches
its targets, and trains a student and a control for one epoch. Printed: for each stage the largest
memory of the process so far, of its own (anonymous) and resident with the files that it maps, and
how the last number of images compares with the first.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from medistill.core.ending import run_program

_SIDE = 64
_MIB = 1024
_SECONDS = 0.02
_NET = "{{name: vit, image_size: 32, patch_size: 8, width: {width}, depth: 2, heads: 2}}"
_OVERRIDES = (
    "data.layout=null",
    "data.unlabelled=null",
    "data.workers=0",
    "data.stored_size=48",
    "data.shares={select: 0.1, calibrate: 0.1, evaluate: 0.2}",
    "views.count=2",
    f"teacher.model={_NET.format(width=64)}",
    "teacher.weights=null",
    "teacher.fit={epochs: 1, batch_size: 32, lr: 1.0e-3}",
    f"student={_NET.format(width=32)}",
    "method={name: kdvit, temperature: 2.0, soft_weight: 0.9}",
    "train.epochs=1",
    "train.warmup_epochs=0",
)
_PROBE = (
    "teacher.model={name: tf_efficientnet_lite0, image_size: 32}",
    "teacher.weights=published",
    "teacher.fit=null",
    "teacher.probe={views: 4, penalties: [0.1, 1.0]}",
)
Peaks = dict[str, dict[str, int]]


class Watch:
    """Largest memory of this process, looked at all the time by a thread of its own."""

    def __init__(self) -> None:
        self.own = self.resident = 0

    def look(self) -> None:
        """Take the figures of this moment into account, in KiB."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        found = dict(re.findall(r"^(RssAnon|VmRSS):\s+(\d+) kB", status, re.MULTILINE))
        self.own = max(self.own, int(found["RssAnon"]))
        self.resident = max(self.resident, int(found["VmRSS"]))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look until the block ends."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(_SECONDS):
                self.look()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def draw(folder: Path, images: int) -> None:
    """Soft noise in two class folders; what is there already is kept."""
    for number in range(images):
        path = folder / "ab"[number % 2] / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            continue
        coarse = np.random.default_rng(number).standard_normal((8, 8)).astype(np.float32)
        soft = Image.fromarray(coarse).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        pixels = np.clip(128 + 40 * np.asarray(soft), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path)


def measure(folder: Path, overrides: tuple[str, ...]) -> Peaks:
    """Run the stages in this process; what had been the peak after each of them, in KiB."""
    from medistill.core.run_folder import RunFolder
    from medistill.stages.context import Context, SilentReporter
    from medistill.stages.data import prepare_data
    from medistill.stages.run import open_recipe
    from medistill.stages.student import train_control, train_student
    from medistill.stages.targets import make_targets
    from medistill.stages.teacher import fit_teacher

    recipe = open_recipe("demo", data=folder / "images", overrides=overrides)
    context = Context(recipe, RunFolder(folder / "run"), SilentReporter())
    watch, peaks = Watch(), Peaks()

    def note(stage: str) -> None:
        watch.look()
        peaks[stage] = {"own": watch.own, "resident": watch.resident}

    with context.run.locked(), watch.watching():
        note("start")
        prepared = prepare_data(context)
        note("data")
        teacher = fit_teacher(context, prepared, 0)
        note("teacher")
        targets = make_targets(context, prepared, 0, teacher)
        note("targets")
        train_student(context, prepared, 0, 0, teacher, targets)
        note("student")
        train_control(context, prepared, 0, 0)
        note("control")
    return peaks


def apart(out: Path, images: int, *, probe: bool) -> Peaks:
    """The same in a process of its own, so that nothing of another number stays."""
    folder = out / str(images)
    shutil.rmtree(folder / "run", ignore_errors=True)
    draw(folder / "images", images)
    command = [sys.executable, "-m", "benchmarks.memory", "--child", str(folder)]
    command += ["--probe"] if probe else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peaks: Peaks = json.loads(done.stdout.splitlines()[-1])
    return peaks


def table(found: dict[int, Peaks]) -> str:
    """One row a stage, in Markdown."""
    counts = list(found)
    head = ["largest memory after", *(f"{n:,} images" for n in counts), "ratio of own memory"]
    lines = [_line(head), _line(["---"] * len(head))]
    for stage in found[counts[0]]:
        rows = [found[n][stage] for n in counts]
        cells = [f"{r['own'] / _MIB:.0f} MiB ({r['resident'] / _MIB:.0f})" for r in rows]
        lines.append(_line([stage, *cells, f"{rows[-1]['own'] / rows[0]['own']:.2f}"]))
    return "\n".join([*lines, "", "In brackets: resident, with the mapped files."])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 8000])
    parser.add_argument("--out", type=Path, default=Path("memory"))
    parser.add_argument("--probe", action="store_true", help="a probe is the teacher")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        overrides = (*_OVERRIDES, *(_PROBE if given.probe else ()))
        print(json.dumps(measure(given.child, overrides)))
        return
    found = {n: apart(given.out, n, probe=given.probe) for n in given.images}
    print(table(found))


if __name__ == "__main__":
    run_program(main, "memory")
