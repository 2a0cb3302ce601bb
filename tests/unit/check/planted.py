"""Clean phantom sets, and faults that are planted into them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from medistill.check.finding import Finding
from medistill.check.subject import Subject
from medistill.check.survey import survey
from medistill.core.types import ImageSet, Sample
from medistill.data.phantom import read_phantom

SIZE = 96


def clean(root: Path, seed: int = 0, count: int = 120) -> ImageSet:
    """A set of drawn slices without a fault."""
    return read_phantom(root, count=count, size=SIZE, seed=seed)


def subject_of(images: ImageSet, *, parts: bool = True, cache: Path | None = None) -> Subject:
    """The set with its facts; every third group is the test part."""
    groups = {group: n for n, group in enumerate(sorted({s.group for s in images.samples}))}
    cut = {s.name: "test" if groups[s.group] % 3 == 0 else "train" for s in images.samples}
    facts = survey(images.samples, cache=cache)
    return Subject(images=images, facts=facts, parts=cut if parts else {})


def altered(
    images: ImageSet, rows: Sequence[int], change: Callable[[Image.Image], Image.Image], root: Path
) -> ImageSet:
    """The set with some images changed, saved under new files."""
    samples = list(images.samples)
    for row in rows:
        path = root / f"{row:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(samples[row].path) as image:
            change(image.convert("L")).save(path)
        samples[row] = dataclasses.replace(samples[row], path=path)
    return dataclasses.replace(images, samples=tuple(samples))


def with_samples(images: ImageSet, extra: Sequence[Sample]) -> ImageSet:
    """The set with further samples, sorted by name."""
    samples = sorted((*images.samples, *extra), key=lambda sample: sample.name)
    return dataclasses.replace(images, samples=tuple(samples))


def rows_of(images: ImageSet, label: int) -> list[int]:
    """Rows of a class."""
    return [row for row, sample in enumerate(images.samples) if sample.label == label]


def named(findings: Sequence[Finding], check: str) -> Finding | None:
    """The finding of a name, if there is one."""
    return next((finding for finding in findings if finding.check == check), None)


def as_jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    """Encoded with loss and decoded again."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("L")


def lettered(image: Image.Image) -> Image.Image:
    """With a line of text burnt in, at the size in which scanners write it."""
    large = image.resize((512, 512), Image.Resampling.BICUBIC)
    ImageDraw.Draw(large).text((12, 480), "MEIER 12:45 AP", fill=255, font_size=20)
    return large


def marked(image: Image.Image) -> Image.Image:
    """With a bright block in one corner."""
    held = np.asarray(image).copy()
    held[:8, :8] = 200
    return Image.fromarray(held)


def inverted(image: Image.Image) -> Image.Image:
    """White where it was black."""
    return Image.fromarray(255 - np.asarray(image))


def dimmed(image: Image.Image) -> Image.Image:
    """Within a twentieth of the gray scale."""
    return image.point([round(value / 20) for value in range(256)])


def blank(image: Image.Image) -> Image.Image:
    """One gray alone."""
    return Image.new("L", image.size, 40)


def burnt(image: Image.Image) -> Image.Image:
    """Mostly full white."""
    held = np.asarray(image).copy()
    held[: int(0.8 * held.shape[0])] = 255
    return Image.fromarray(held)
