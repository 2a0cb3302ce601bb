"""How fast a set is checked and stored, as a share of Pillow's plain decoding on all cores.

    python -m benchmarks.check_scale --images 100000 --side 128 --out /tmp/scale

Files are generated; nothing else is needed. Printed: images a second of Pillow, of the check (first
and second run) and of the store, their ratios, and the largest resident memory of this process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from medistill.check.survey import survey
from medistill.core.runtime import cpu_threads
from medistill.core.types import ImageSet, Sample
from medistill.data.store import build_store


def _draw(job: tuple[Path, int, int]) -> None:
    path, seed, side = job
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.standard_normal((8, 8)).astype(np.float32))
    soft = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    noisy = soft + 0.1 * draw.standard_normal((side, side))
    Image.fromarray(np.clip(128 + 40 * noisy, 0, 255).astype(np.uint8)).save(path)


def _decode(path: Path) -> int:
    with Image.open(path) as image:
        image.load()
        return image.size[0]


def generated(root: Path, images: int, side: int, workers: int) -> ImageSet:
    """Draw what is not there yet, 1,000 files a folder."""
    paths = [root / f"{number // 1000:04}" / f"{number:07}.png" for number in range(images)]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    jobs = [(path, seed, side) for seed, path in enumerate(paths) if not path.is_file()]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_draw, jobs, chunksize=64))
    samples = tuple(
        Sample(path=p, name=p.relative_to(root).as_posix(), label=n % 2, group=p.name)
        for n, p in enumerate(paths)
    )
    return ImageSet(
        name="folder",
        root=root,
        task="single-label",
        classes=("a", "b"),
        samples=samples,
        group_word="image",
    )


def _rate(count: int, act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return count / (time.perf_counter() - started)


def main() -> None:
    """Parse, generate, time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--workers", type=int, default=cpu_threads())
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    images = generated(asked.out / "images", asked.images, asked.side, asked.workers)
    paths = [sample.path for sample in images.samples]
    count, cache = len(paths), asked.out / "cache"
    (cache / "facts.jsonl").unlink(missing_ok=True)

    def plain() -> None:
        with ProcessPoolExecutor(asked.workers) as pool:
            list(pool.map(_decode, paths, chunksize=64))

    def check() -> object:
        return survey(images.samples, cache=cache, workers=asked.workers)

    def store() -> object:
        folder = asked.out / "store"
        return build_store(
            images, folder, stored_size=asked.side, channels="gray", workers=asked.workers
        )

    base = _rate(count, plain)
    print(f"Pillow alone: {base:,.0f} images/s ({count:,} of {asked.side}x{asked.side})")
    for name, act in (("check", check), ("check again", check), ("store", store)):
        rate = _rate(count, act)
        print(f"{name}: {rate:,.0f} images/s, {rate / base:.2f} of Pillow")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest resident memory of the parent: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
