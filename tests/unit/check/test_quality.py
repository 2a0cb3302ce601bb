"""Pictures that cannot be right are found, one or many, and no others are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from medistill.check.quality import quality_findings, text_findings
from medistill.core.types import ImageSet
from tests.unit.check import planted
from tests.unit.check.planted import altered, named, subject_of

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
