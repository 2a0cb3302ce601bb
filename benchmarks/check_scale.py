"""How fast a set is checked and stored, as a share of plain decoding on all cores.

    python -m benchmarks.check_scale --kind png-128 --images 100000 --out scale

Files are generated; nothing else is needed. Printed: images a second of Pillow (pydicom for DICOM)
decoding fully in a pool of all cores, of reading for the check (first and second run), of the whole
check and of the store, their ratios, and the largest resident memory of this process and of its
largest worker so far. A rate is the best of ``--turns`` runs, plain decoding among them. With
``--workers 0`` all is done in this process and its processor time counts: for a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.scale_images import KINDS, decode_all, generated
from medistill.check.survey import survey
from medistill.core.runtime import cpu_threads
from medistill.core.types import ImageSet
from medistill.data.storing import build_store


def _seconds(act: Callable[[], object], workers: int) -> float:
    """Time that passes; without processes, the processor's time, which other work hardly moves."""
    clock = time.perf_counter if workers else time.process_time
    started = clock()
    act()
    return clock() - started


def _peaks() -> str:
    own, workers = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return f"largest memory so far: parent {own:,.0f} MB, a worker {workers:,.0f} MB"


def _acts(images: ImageSet, out: Path, size: int, workers: int) -> dict[str, Callable[[], object]]:
    """What is timed, in order; the first is what all others are a share of."""
    cache, store = out / "cache", out / "store"

    def forget(act: Callable[[], object]) -> Callable[[], object]:
        def fresh() -> object:
            shutil.rmtree(cache, ignore_errors=True)
            return act()

        return fresh

    def read() -> object:
        return survey(images.samples, cache=cache, workers=workers)

    return {
        "plain decoding": lambda: decode_all([s.path for s in images.samples], workers),
        "check, reading": forget(read),
        "check, reading from its cache": read,
        "store": lambda: build_store(
            images, store, stored_size=size, channels="gray", workers=workers
        ),
    }


def main() -> None:
    """Parse, generate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="png-128")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--stored-size", type=int, help="Short side stored; the images' own.")
    parser.add_argument("--workers", type=int, default=cpu_threads())
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="Also the whole command.")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    kind, workers = KINDS[asked.kind], asked.workers
    root = asked.out / asked.kind
    images = generated(root, kind, asked.images, workers)
    size = sum(sample.path.stat().st_size for sample in images.samples)
    print(f"{asked.images:,} {asked.kind}, {size / 1e9:.2f} GB, {workers} processes")
    best: dict[str, float] = {}
    for _ in range(asked.turns):
        for name, act in _acts(images, asked.out, asked.stored_size or kind.side, workers).items():
            best[name] = min(best.get(name, float("inf")), _seconds(act, workers))
    for name, seconds in best.items():
        share = best["plain decoding"] / seconds
        print(f"{name}: {asked.images / seconds:,.0f} images/s, {share:.2f} of plain decoding")
    print(_peaks())
    if asked.whole:
        # Here, since every process imports this module, and the stages bring torch.
        from medistill.stages.check import check

        shutil.rmtree(asked.out / "checked", ignore_errors=True)
        seconds = _seconds(lambda: check(root, out=asked.out / "checked", workers=workers), workers)
        print(f"whole check: {seconds:.1f} s, {best['plain decoding'] / seconds:.2f}")
        print(_peaks())


if __name__ == "__main__":
    main()
