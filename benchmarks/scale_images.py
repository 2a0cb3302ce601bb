"""Generated images of the kinds that hospitals hand over, and their plain decoding."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.types import ImageSet, Sample

_CELLS, _GRAIN, _IN_A_FOLDER = 8, 0.1, 1000


@dataclass(frozen=True)
class Kind:
    """How images are saved.

    Attributes:
        side: pixels of a side.
        suffix: ending of the file.
        white: largest value: 255, 4095 (CT in 16 bits) or 65535.
        packed: whether a DICOM file is compressed, as JPEG 2000 without loss.
    """

    side: int
    suffix: str
    white: int = 255
    packed: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "png-128": Kind(128, "png"),
        "png-512": Kind(512, "png"),
        "png16-1024": Kind(1024, "png", 65535),
        "jpeg-1024": Kind(1024, "jpg"),
        "dicom-512": Kind(512, "dcm", 4095),
        "dicom-j2k-512": Kind(512, "dcm", 4095, packed=True),
    }
)


def generated(
    root: Path, kind: Kind, images: int, workers: int, different: int | None = None
) -> ImageSet:
    """Draw what is not there yet: two classes, 1,000 files a folder.

    Where fewer files are different, the others are further names of theirs: a tree of any size
    without a disk of that size.
    """
    paths = [_path(root, number, kind.suffix) for number in range(images)]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    drawn = paths[: different or images]
    jobs = [(path, seed) for seed, path in enumerate(drawn) if not path.is_file()]
    with ProcessPoolExecutor(max(1, workers)) as pool:
        list(pool.map(functools.partial(_draw, kind), jobs, chunksize=16))
    for number in range(len(drawn), images):
        if not paths[number].is_file():
            paths[number].hardlink_to(paths[number % len(drawn)])
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


def decode_all(paths: list[Path], workers: int) -> None:
    """Decode every file, with nothing but its library: Pillow to gray, or pydicom."""
    if paths[0].suffix == ".dcm":
        from benchmarks.scale_dicom import decode

        _all(decode, paths, workers)
    else:
        _all(_pillow, paths, workers)


def show_all(paths: list[Path], workers: int) -> None:
    """Decode every DICOM file to the 8-bit gray of its window, with nothing but pydicom."""
    from benchmarks.scale_dicom import decode_shown

    _all(decode_shown, paths, workers)


def _all(act: Callable[[Path], int], paths: list[Path], workers: int) -> None:
    if workers == 0:
        for path in paths:
            act(path)
        return
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(act, paths, chunksize=64))


def _pillow(path: Path) -> int:
    with Image.open(path) as image:
        image.load()
        gray = image if image.mode.startswith("I") else image.convert("L")
        return gray.size[0]


def _path(root: Path, number: int, suffix: str) -> Path:
    return root / "ab"[number % 2] / f"{number // _IN_A_FOLDER:04}" / f"{number:07}.{suffix}"


def _draw(kind: Kind, job: tuple[Path, int]) -> None:
    path, seed = job
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.standard_normal((_CELLS, _CELLS)).astype(np.float32))
    soft = np.asarray(coarse.resize((kind.side, kind.side), Image.Resampling.BICUBIC))
    grains = draw.standard_normal((kind.side, kind.side), dtype=np.float32)
    gray = np.clip(0.5 + 0.16 * (soft + _GRAIN * grains), 0, 1)
    _save(path, np.rint(gray * kind.white), kind)


def _save(path: Path, values: NDArray[np.floating], kind: Kind) -> None:
    dtype = np.uint8 if kind.white == Kind.white else np.uint16
    if kind.suffix == "dcm":
        from benchmarks.scale_dicom import save

        save(path, values.astype(np.uint16), packed=kind.packed)
    else:
        Image.fromarray(values.astype(dtype)).save(path, quality=90)
