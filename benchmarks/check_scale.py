"""How fast a set is checked and stored, as a share of plain decoding on all cores.

    python -m benchmarks.check_scale --kind png-128 --images 100000 --out scale

Files are generated; nothing else is needed. Printed: images a second of Pillow (pydicom for DICOM)
decoding fully in a pool of all cores, of reading for the check (first and second run), of the
store, of both in one reading as a run does it, and of the whole check; their ratios; and the
largest memory so far of this process (its own, and resident with the files that it maps) and of its
largest worker. A rate is the best of ``--turns`` runs, plain decoding among them. With
``--workers 0`` all is done in this process and its processor time counts: for a busy machine.

For DICOM plain decoding is pydicom's ``pixel_array``, which copies the bytes of uncompressed files;
"shown" is what pydicom needs for the gray that Pillow gives of other files: rescaled and windowed
to 8 bits.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.memory import Watch
from benchmarks.scale_images import KINDS, decode_all, generated, show_all
from medistill.check.survey import Survey, survey
from medistill.core.ending import run_program
from medistill.core.runtime import cpu_threads
from medistill.core.types import ImageSet
from medistill.data.storing import build_store


def _seconds(act: Callable[[], object], workers: int) -> float:
    """Time that passes; without processes, the processor's time, which other work hardly moves."""
    clock = time.perf_counter if workers else time.process_time
    started = clock()
    act()
    return clock() - started


def _peaks(watch: Watch) -> str:
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own, resident, worker = (kib // 1024 for kib in (watch.own, watch.resident, worker))
    return f"so far at most {own:,} MiB ({resident:,} resident), a worker {worker:,} resident"


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

    def stored(watched: Survey | None = None) -> object:
        watch = None if watched is None else watched.watch()
        return build_store(
            images, store, stored_size=size, channels="gray", workers=workers, watch=watch
        )

    def both() -> object:
        noted = Survey(images.samples, cache=cache)
        stored(noted)
        return noted.facts()

    paths = [sample.path for sample in images.samples]
    shown = {"shown": lambda: show_all(paths, workers)} if paths[0].suffix == ".dcm" else {}
    return {
        "plain decoding": lambda: decode_all(paths, workers),
        **shown,
        "check, reading": forget(read),
        "check, reading from its cache": read,
        "store": stored,
        "store and check in one reading": forget(both),
    }


def main() -> None:
    """Parse, generate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="png-128")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--different", type=int, help="Different files; all.")
    parser.add_argument("--stored-size", type=int, help="Short side stored; the images' own.")
    parser.add_argument("--workers", type=int, default=cpu_threads())
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="Also the whole command.")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    kind, workers = KINDS[asked.kind], asked.workers
    root = asked.out / asked.kind
    images = generated(root, kind, asked.images, workers, asked.different)
    size = sum(sample.path.stat().st_size for sample in images.samples)
    print(f"{asked.images:,} {asked.kind}, {size / 1e9:.2f} GB, {workers} processes")
    best: dict[str, float] = {}
    watch, peaks = Watch(), dict[str, str]()
    acts = _acts(images, asked.out, asked.stored_size or kind.side, workers)
    for _ in range(asked.turns):
        for name, act in acts.items():
            with watch.watching():
                best[name] = min(best.get(name, float("inf")), _seconds(act, workers))
            peaks.setdefault(name, _peaks(watch))
    for name, seconds in best.items():
        share = best["plain decoding"] / seconds
        rate = f"{asked.images / seconds:,.0f} images/s, {share:.2f} of plain decoding"
        print(f"{name}: {rate}; {peaks[name]}")
    if asked.whole:
        # Here, since every process imports this module, and the stages bring torch.
        from medistill.stages.check import check

        shutil.rmtree(asked.out / "checked", ignore_errors=True)
        for turn in ("whole check", "again"):
            with watch.watching():
                seconds = _seconds(
                    lambda: check(root, out=asked.out / "checked", workers=workers), workers
                )
            share = best["plain decoding"] / seconds
            print(f"{turn}: {seconds:.1f} s, {share:.2f}; {_peaks(watch)}")


if __name__ == "__main__":
    run_program(main, "check_scale")
