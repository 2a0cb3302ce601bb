"""A format, a size or a mark in a corner that goes with the class is found at every strength."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.check.finding import Finding
from medistill.check.shortcut import shortcut_findings
from medistill.core.types import ImageSet, Sample
from tests.unit.check.planted import altered, marked, named, rows_of, subject_of

SHARES = [0.6, 0.8, 1.0]


def _some(images: ImageSet, share: float) -> list[int]:
    rows = rows_of(images, 1)
    return rows[: round(share * len(rows))]


def _low(found: Finding | None) -> float:
    assert found is not None
    return float(next(iter(found.figures.values()))["low"])


@pytest.mark.parametrize("share", SHARES)
def test_mode_that_goes_with_the_class(
    images: ImageSet, tmp_path: Path, cache: Path, share: float
) -> None:
    subject = subject_of(
        altered(images, _some(images, share), lambda i: i.convert("RGB"), tmp_path)
    )
    found = named(list(shortcut_findings(subject)), "header-predicts-class")
    assert _low(found) >= 0.6
    assert found is not None
    assert found.severity == ("fatal" if share == 1 else "warning")


@pytest.mark.parametrize("share", SHARES)
def test_mark_in_a_corner(images: ImageSet, tmp_path: Path, cache: Path, share: float) -> None:
    subject = subject_of(altered(images, _some(images, share), marked, tmp_path), cache=cache)
    found = named(list(shortcut_findings(subject)), "rim-predicts-class")
    assert _low(found) >= 0.6
    assert found is not None
    assert found.severity != "note"


def _as_jpeg_file(sample: Sample, path: Path) -> Sample:
    with Image.open(sample.path) as image:
        image.convert("L").save(path.with_suffix(".jpg"), quality=95)
    return dataclasses.replace(sample, path=path.with_suffix(".jpg"))


def _larger(sample: Sample, path: Path) -> Sample:
    with Image.open(sample.path) as image:
        image.convert("L").resize((120, 120)).save(path)
    return dataclasses.replace(sample, path=path)


def _deeper(sample: Sample, path: Path) -> Sample:
    with Image.open(sample.path) as image:
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    return dataclasses.replace(sample, path=path)


def _bordered(sample: Sample, path: Path) -> Sample:
    with Image.open(sample.path) as image:
        held = np.asarray(image.convert("L")).copy()
    held[:3] = held[-3:] = 90
    Image.fromarray(held).save(path)
    return dataclasses.replace(sample, path=path)


def _device(sample: Sample, path: Path) -> Sample:
    return dataclasses.replace(sample, attributes={"device": "scanner B"})


def _site(sample: Sample, path: Path) -> Sample:
    return dataclasses.replace(sample, attributes={"site": "B", "sex": "F"})


PLANTED: dict[str, tuple[Callable[[Sample, Path], Sample], str]] = {
    "file format": (_as_jpeg_file, "header-predicts-class"),
    "size": (_larger, "header-predicts-class"),
    "bit depth": (_deeper, "header-predicts-class"),
    "device": (_device, "header-predicts-class"),
    "site": (_site, "header-predicts-class"),
    "border": (_bordered, "rim-predicts-class"),
}


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", PLANTED)
def test_what_else_goes_with_the_class(
    images: ImageSet, tmp_path: Path, cache: Path, kind: str, share: float
) -> None:
    plant, check = PLANTED[kind]
    samples = list(images.samples)
    for row in _some(images, share):
        samples[row] = plant(samples[row], tmp_path / f"{row}.png")
    subject = subject_of(dataclasses.replace(images, samples=tuple(samples)), cache=cache)
    found = named(list(shortcut_findings(subject)), check)
    assert _low(found) >= 0.6
    assert found is not None
    assert found.severity == ("fatal" if share == 1 else "warning")


def test_size_of_several_labels(images: ImageSet, tmp_path: Path, cache: Path) -> None:
    larger = altered(images, _some(images, 1), lambda i: i.resize((120, 120)), tmp_path)
    samples = tuple(
        dataclasses.replace(s, label=(float(s.label == 1), np.nan if n % 7 == 0 else float(n % 2)))
        for n, s in enumerate(larger.samples)
    )
    several = dataclasses.replace(larger, samples=samples, task="multi-label")
    found = named(
        list(shortcut_findings(subject_of(several, cache=cache))), "header-predicts-class"
    )
    assert found is not None
    assert found.figures[images.classes[0]]["low"] > 0.9
    assert found.figures[images.classes[1]]["low"] < 0.6


def test_too_few_images_are_not_judged(images: ImageSet) -> None:
    few = dataclasses.replace(images, samples=images.samples[:15])
    assert list(shortcut_findings(subject_of(few))) == []


def _in_groups(images: ImageSet, count: int) -> ImageSet:
    """The set with so many patients a class."""
    samples = [
        dataclasses.replace(sample, group=f"patient {sample.label} {row % count}")
        for row, sample in enumerate(images.samples)
    ]
    return dataclasses.replace(images, samples=tuple(samples))


@pytest.mark.parametrize("count", [5, 7, 9])
def test_a_format_is_seen_in_few_groups_too(
    images: ImageSet, tmp_path: Path, cache: Path, count: int
) -> None:
    told = altered(images, _some(images, 1), lambda i: i.convert("RGB"), tmp_path)
    found = named(
        list(shortcut_findings(subject_of(_in_groups(told, count)))), "header-predicts-class"
    )
    assert found is not None
    assert found.severity == "warning"
    assert "AUROC 1.00; it has no interval: too few groups" in found.text
    assert found.figures[images.classes[1]] == {"auroc": 1.0, "low": None, "high": None}
    clean = list(shortcut_findings(subject_of(_in_groups(images, count), cache=cache)))
    assert {finding.severity for finding in clean} == {"note"}
    assert named(clean, "rim-predicts-class") is not None


def test_a_class_in_too_few_groups_is_said_not_to_be_judged(images: ImageSet, cache: Path) -> None:
    found = list(shortcut_findings(subject_of(_in_groups(images, 4), cache=cache)))
    assert [finding.check for finding in found] == ["shortcuts-not-judged"]
    assert found[0].figures == {"classes": [images.classes[1]]}
    both = list(shortcut_findings(subject_of(images, cache=cache)))
    assert named(both, "shortcuts-not-judged") is None


def _effused(image: Image.Image) -> Image.Image:
    """With a smooth patch in its middle, which makes a lossless file shorter."""
    held = np.asarray(image).copy()
    held[18:78, 18:78] = 150
    return Image.fromarray(held)


def test_what_a_disease_does_to_the_length_of_files_stops_nothing(
    images: ImageSet, tmp_path: Path, cache: Path
) -> None:
    diseased = altered(images, _some(images, 1), _effused, tmp_path)
    found = list(shortcut_findings(subject_of(diseased, cache=cache)))
    lengths = named(found, "bytes-predict-class")
    assert _low(lengths) > 0.9
    assert {finding.severity for finding in found} <= {"warning", "note"}
    assert named(found, "header-predicts-class") is None


@pytest.mark.parametrize("share", SHARES)
def test_quality_of_jpeg_that_goes_with_the_class(
    images: ImageSet, tmp_path: Path, cache: Path, share: float
) -> None:
    weak, samples = set(_some(images, share)), list(images.samples)
    for row, sample in enumerate(images.samples):
        path = tmp_path / f"{row}.jpg"
        with Image.open(sample.path) as image:
            image.convert("L").save(path, quality=60 if row in weak else 95)
        samples[row] = dataclasses.replace(sample, path=path)
    subject = subject_of(dataclasses.replace(images, samples=tuple(samples)), cache=cache)
    found = named(list(shortcut_findings(subject)), "bytes-predict-class")
    assert _low(found) >= 0.6
    assert found is not None
    assert found.severity == "warning"


def test_sex_is_no_fact_of_a_file(images: ImageSet, cache: Path) -> None:
    told = tuple(
        dataclasses.replace(s, attributes={"sex": "FM"[int(s.label == 1)]}) for s in images.samples
    )
    subject = subject_of(dataclasses.replace(images, samples=told), cache=cache)
    assert named(list(shortcut_findings(subject)), "header-predicts-class") is None
