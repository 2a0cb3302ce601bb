"""Pictures that cannot be right are found, one or many, and no others are named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medistill.check.quality import quality_findings, text_findings
from medistill.core.types import ImageSet
from tests.unit.check import planted
from tests.unit.check.planted import altered, named, subject_of
from tests.unit.imaging.dicom_files import save

CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "constant": planted.blank,
    "dim": planted.dimmed,
    "burnt-out": planted.burnt,
    "inverted": planted.inverted,
    "burnt-in-text": planted.lettered,
}
STRENGTHS = [1, 5, 20]


@pytest.mark.parametrize("count", STRENGTHS)
@pytest.mark.parametrize("check", CHANGES)
def test_planted_pictures_are_found(
    images: ImageSet, tmp_path: Path, cache: Path, check: str, count: int
) -> None:
    rows = list(range(0, 5 * count, 5))
    subject = subject_of(altered(images, rows, CHANGES[check], tmp_path), cache=cache)
    found = named([*quality_findings(subject), *text_findings(subject)], check)
    assert found is not None
    assert set(found.groups[0]) == {images.samples[row].name for row in rows}
    # Whoever typed ``check`` has an option, whoever typed ``run`` a value of the recipe.
    window = check in ("dim", "burnt-out")
    assert all((word in found.cure) == window for word in ("--window", "data.window="))


@pytest.mark.parametrize("share", [0.3, 0.45, 0.5])
def test_half_of_a_set_may_be_inverted(
    images: ImageSet, tmp_path: Path, cache: Path, share: float
) -> None:
    count = len(images.samples)
    rows = np.random.default_rng(0).choice(count, round(share * count), replace=False).tolist()
    subject = subject_of(altered(images, rows, planted.inverted, tmp_path), cache=cache)
    found = named(list(quality_findings(subject)), "inverted")
    assert found is not None
    planted_names = {images.samples[row].name for row in rows}
    others = {sample.name for sample in images.samples} - planted_names
    told = max(planted_names, others, key=lambda names: len(names & set(found.groups[0])))
    assert set(found.groups[0]) <= told
    assert len(found.groups[0]) > 0.8 * len(told)
    assert told == planted_names or share == 0.5


def _breasts(random: np.random.Generator) -> NDArray[np.float64]:
    """A bright shape at the left or right border, as mammograms show."""
    down, across = np.mgrid[0:64, 0:64] / 64
    tall, wide = random.uniform(0.4, 0.5), random.uniform(0.35, 0.6)
    shape = (across / wide) ** 2 + ((down - 0.5) / tall) ** 2 < 1
    seen = np.where(shape, random.uniform(100, 220), 5.0)
    return seen if random.random() < 0.5 else seen[:, ::-1]


def _waves(random: np.random.Generator) -> NDArray[np.float64]:
    """Bright and dark bands anywhere: nothing is common to many, and no gray is the right one."""
    down, across = np.mgrid[0:64, 0:64]
    first, second = random.uniform(0, 6, 2)
    return 128 + 60 * np.sin(across / 8 + first) + 50 * np.cos(down / 7 + second)


@pytest.mark.parametrize("draw", [_breasts, _waves])
def test_mirror_images_and_pictures_unlike_each_other_are_not_inverted(
    images: ImageSet,
    tmp_path: Path,
    cache: Path,
    draw: Callable[[np.random.Generator], NDArray[np.float64]],
) -> None:
    random = np.random.default_rng(0)

    def drawn(_: Image.Image) -> Image.Image:
        return Image.fromarray(
            (draw(random) + random.normal(0, 3, (64, 64))).clip(0, 255).astype("u1")
        )

    every = altered(images, range(len(images.samples)), drawn, tmp_path)
    assert named(list(quality_findings(subject_of(every, cache=cache))), "inverted") is None


@pytest.mark.parametrize("count", STRENGTHS)
def test_unreadable_files_are_fatal(
    images: ImageSet, tmp_path: Path, cache: Path, count: int
) -> None:
    subject = altered(images, range(count), planted.blank, tmp_path)
    for sample in subject.samples[:count]:
        sample.path.write_bytes(sample.path.read_bytes()[:40])
    found = named(list(quality_findings(subject_of(subject, cache=cache))), "unreadable")
    assert found is not None
    assert (found.severity, found.figures["images"]) == ("fatal", count)


@pytest.mark.parametrize("every", [True, False])
def test_what_a_reader_advises_is_said(
    images: ImageSet, tmp_path: Path, cache: Path, every: bool
) -> None:
    path = tmp_path / "two.dcm"
    save(path, np.zeros((16, 8), np.uint8), Rows=8, NumberOfFrames="2")
    samples = [dataclasses.replace(images.samples[0], path=path), *images.samples[1:]]
    subject = dataclasses.replace(images, samples=tuple(samples[:1] if every else samples))
    found = named(list(quality_findings(subject_of(subject, cache=cache))), "unreadable")
    assert found is not None
    advice = (
        "List it in a table (CSV) and name one, from 0 to 1, in its column 'frame', or export "
        "single frames."
    )
    skip = "" if every else " Or leave them out of a run with data.skip_unreadable=true."
    assert found.cure == advice + skip


def test_a_table_of_files_that_are_not_there_is_asked_for_its_paths(
    images: ImageSet, tmp_path: Path, cache: Path
) -> None:
    samples = (dataclasses.replace(s, path=tmp_path / s.name) for s in images.samples)
    subject = dataclasses.replace(images, samples=tuple(samples))
    findings = list(quality_findings(subject_of(subject, cache=cache)))
    assert named(findings, "formats") is None
    found = named(findings, "unreadable")
    assert found is not None
    assert "a table's paths begin at its own folder" in found.cure
