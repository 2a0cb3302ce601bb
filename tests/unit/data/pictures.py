"""Small files and sets that the tests of data sets share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from medistill.core.types import ImageSet, Sample, Task


def save_noise(path: Path, seed: int, *, size: tuple[int, int] = (24, 16)) -> Path:
    """Save gray noise of (width, height); no two seeds give near-duplicates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def noise_set(root: Path, count: int, *, size: tuple[int, int] = (24, 16)) -> ImageSet:
    """A set of gray noise in files, two classes by turns."""
    paths = [save_noise(root / f"{n:04}.png", n, size=size) for n in range(count)]
    return ImageSet(
        name="folder",
        root=root,
        task="single-label",
        classes=("a", "b"),
        samples=tuple(
            Sample(path=path, name=path.name, label=row % 2, group=path.name)
            for row, path in enumerate(paths)
        ),
        group_word="image",
    )


def smooth_picture(seed: int, size: int = 128) -> Image.Image:
    """A gray picture with soft structures of every scale, as a scan has; seeds are unrelated."""
    draws = np.random.default_rng(seed)
    total = np.zeros((size, size))
    for cells in (4, 8, 16, 32):
        coarse = Image.fromarray(draws.standard_normal((cells, cells)).astype(np.float32))
        total += np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) * 4 / cells
    scaled = (total - total.min()) / (total.max() - total.min())
    return Image.fromarray((255 * scaled).astype(np.uint8))


def labelled_set(
    labels: Sequence[int | tuple[float, ...] | None],
    *,
    groups: Iterable[object] | None = None,
    splits: Sequence[str | None] | None = None,
    classes: tuple[str, ...] = ("healthy", "ill"),
    task: Task = "single-label",
) -> ImageSet:
    """A set without files: row i is called ``i.png`` with leading zeros."""
    names = [f"{row:06}.png" for row in range(len(labels))]
    groups = names if groups is None else [str(group) for group in groups]
    splits = splits or [None] * len(labels)
    samples = tuple(
        Sample(path=Path(name), name=name, label=label, group=group, split=split)
        for name, label, group, split in zip(names, labels, groups, splits, strict=True)
    )
    return ImageSet(
        name="folder",
        root=Path("images"),
        task=task,
        classes=classes,
        samples=samples,
        group_word="patient",
    )
