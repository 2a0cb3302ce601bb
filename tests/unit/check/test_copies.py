"""Copies are found at every strength: within and across parts, and with other labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.check.copies import (
    closest_copies,
    copy_findings,
    near_findings,
    together,
    united,
)
from medistill.check.finding import Finding
from medistill.check.subject import Subject
from medistill.core.types import ImageSet, Sample
from tests.unit.check.planted import as_jpeg, named, subject_of, with_samples

STRENGTHS = [1, 4, 12]


def _copied(images: ImageSet, root: Path, count: int, *, near: bool, flip: bool) -> ImageSet:
    """Copies of the first images under other names and groups, re-encoded if they are near."""
    extra = []
    for row in range(count):
        old = images.samples[row]
        path = root / f"copy-{row}.{'png' if near else 'tif'}"
        with Image.open(old.path) as image:
            (as_jpeg(image.convert("L"), 80) if near else image).save(path)
        assert isinstance(old.label, int)
        label = 1 - old.label if flip else old.label
        extra.append(Sample(path=path, name=path.name, label=label, group=path.name))
    return with_samples(images, extra)


def _in_two_parts(subject: Subject) -> Subject:
    parts = {n: "test" if n.startswith("copy-") else "train" for n in subject.facts}
    return dataclasses.replace(subject, parts=parts)


@pytest.mark.parametrize("count", STRENGTHS)
@pytest.mark.parametrize("near", [False, True])
def test_copies_across_parts(
    images: ImageSet, cache: Path, tmp_path: Path, count: int, near: bool
) -> None:
    planted = _copied(images, tmp_path, count, near=near, flip=False)
    subject = _in_two_parts(subject_of(planted, cache=cache))
    found = list((near_findings if near else copy_findings)(subject))
    kind = "near" if near else "exact"
    across = named(found, f"{kind}-copies-across-parts")
    assert across is not None
    assert across.severity == "fatal"
    assert across.figures["clusters"] == count
    assert named(found, f"{kind}-copies-with-other-labels") is None


def _cut(image: Image.Image) -> Image.Image:
    """Two percent away from every side, encoded with loss."""
    side = round(0.02 * image.width)
    return as_jpeg(image.crop((side, side, image.width - side, image.height - side)), 75)


def _moved(image: Image.Image) -> Image.Image:
    """Two percent down and to the right, what is beyond cut off, encoded with loss."""
    side = round(0.02 * image.width)
    return as_jpeg(image.crop((0, 0, image.width - side, image.height - side)), 75)


@pytest.mark.parametrize("count", STRENGTHS)
@pytest.mark.parametrize("change", [_cut, _moved])
def test_cropped_and_shifted_copies_across_parts(
    images: ImageSet,
    cache: Path,
    tmp_path: Path,
    count: int,
    change: Callable[[Image.Image], Image.Image],
) -> None:
    extra = []
    for row in range(count):
        path = tmp_path / f"copy-{row}.png"
        with Image.open(images.samples[row].path) as image:
            change(image.convert("L")).save(path)
        extra.append(
            dataclasses.replace(images.samples[row], path=path, name=path.name, group=path.name)
        )
    subject = _in_two_parts(subject_of(with_samples(images, extra), cache=cache))
    across = named(list(near_findings(subject)), "near-copies-across-parts")
    assert across is not None
    assert across.figures["clusters"] >= 0.75 * count
    known = {
        name: row.name for name, row in zip((s.name for s in extra), images.samples, strict=False)
    }
    for held in across.groups:
        copies = [name for name in held if name in known]
        assert copies
        assert all(known[name] in held for name in copies)


@pytest.mark.parametrize("count", STRENGTHS)
def test_copies_with_other_labels(
    images: ImageSet, cache: Path, tmp_path: Path, count: int
) -> None:
    planted = _copied(images, tmp_path, count, near=False, flip=True)
    found = named(
        list(copy_findings(subject_of(planted, cache=cache))), "exact-copies-with-other-labels"
    )
    assert found is not None
    assert (found.severity, found.figures["clusters"]) == ("fatal", count)


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        ((1.0, 0.0), (0.0, 0.0), True),
        ((1.0, np.nan), (np.nan, 1.0), False),
        ((1.0, 0.0), (1.0, np.nan), False),
        ((np.nan, 0.0), (1.0, 1.0), True),
        (None, (1.0, 1.0), False),
    ],
)
def test_copies_with_other_labels_of_several(
    images: ImageSet,
    cache: Path,
    tmp_path: Path,
    first: tuple[float, ...] | None,
    second: tuple[float, ...],
    wrong: bool,
) -> None:
    planted = _copied(images, tmp_path, 1, near=False, flip=False)
    original = images.samples[0].name
    label = {original: first, "copy-0.tif": second}
    samples = (dataclasses.replace(s, label=label.get(s.name)) for s in planted.samples)
    given = dataclasses.replace(planted, samples=tuple(samples), task="multi-label")
    found = list(copy_findings(subject_of(given, cache=cache)))
    conflict = named(found, "exact-copies-with-other-labels")
    assert named(found, "exact-copies") is not None
    assert (conflict is not None) == wrong
    if conflict is not None:
        assert (conflict.severity, conflict.groups) == ("fatal", [["copy-0.tif", original]])
        assert "labels contradict each other" in conflict.text


def _in_one_cluster(images: ImageSet, cache: Path, count: int) -> Finding | None:
    """What is said of the size of a cluster when the first images look the same."""
    subject = subject_of(images, cache=cache)
    first = next(iter(subject.facts.values()))
    facts = {
        name: dataclasses.replace(held, bits=first.bits, thumb=first.thumb) if row < count else held
        for row, (name, held) in enumerate(subject.facts.items())
    }
    return named(list(near_findings(dataclasses.replace(subject, facts=facts))), "large-cluster")


@pytest.mark.parametrize("share", [0.1, 0.2, 0.4, 0.8])
def test_large_cluster_is_refused(images: ImageSet, cache: Path, share: float) -> None:
    count = int(share * len(images.samples))
    found = _in_one_cluster(images, cache, count)
    assert found is not None
    assert (found.severity, found.figures["images"]) == ("fatal", count)


def test_ten_of_a_small_set_are_no_large_cluster(images: ImageSet, cache: Path) -> None:
    assert _in_one_cluster(images, cache, 10) is None


def test_united_groups_hold_copies_and_groups_together(images: ImageSet, tmp_path: Path) -> None:
    subject = subject_of(_copied(images, tmp_path, 3, near=True, flip=False))
    group = united(subject)
    for row in range(3):
        assert group[f"copy-{row}.png"] == group[images.samples[row].name]
    for sample in images.samples:
        same = [s.name for s in images.samples if s.group == sample.group]
        assert len({group[name] for name in same}) == 1
    joined = {word for word in group.values() if word not in {s.group for s in images.samples}}
    copied = {images.samples[row].group for row in range(3)}
    assert len(joined) == len(copied)
    assert all(word.endswith(" more") for word in joined)


@pytest.mark.parametrize(("word", "shared"), [("image", True), ("patient", False)])
def test_united_groups_hold_numbered_persons_together(
    images: ImageSet, word: str, shared: bool
) -> None:
    samples = list(images.samples)
    for row, number in ((0, 7), (1, 8), (40, 7)):
        name = f"{samples[row].label}/person{number}_{row}.png"
        samples[row] = dataclasses.replace(samples[row], name=name, group=name)
    named_so = dataclasses.replace(images, samples=tuple(samples), group_word=word)
    group = united(subject_of(named_so))
    first, other, second = (samples[row].name for row in (0, 1, 40))
    assert (group[first] == group[second]) is shared
    assert group[first] != group[other]


def _groups(subject: Subject) -> dict[str, str]:
    return {sample.name: sample.group for sample in together(subject).samples}


def _guessed(images: ImageSet, *, copies_only: bool) -> ImageSet:
    samples = tuple(
        dataclasses.replace(s, guessed=not copies_only or s.name.startswith("copy-"))
        for s in images.samples
    )
    return dataclasses.replace(images, samples=samples)


def test_guessed_groups_keep_copies_together(images: ImageSet, cache: Path, tmp_path: Path) -> None:
    planted = _copied(images, tmp_path, 3, near=True, flip=False)
    group = _groups(subject_of(_guessed(planted, copies_only=False), cache=cache))
    for row in range(3):
        assert group[f"copy-{row}.png"] == group[images.samples[row].name]
    assert len(set(group.values())) == len(images.samples)


def test_known_groups_stay_and_attract_guessed_ones(
    images: ImageSet, cache: Path, tmp_path: Path
) -> None:
    planted = _copied(images, tmp_path, 2, near=True, flip=False)
    group = _groups(subject_of(_guessed(planted, copies_only=True), cache=cache))
    for row in range(2):
        assert group[f"copy-{row}.png"] == images.samples[row].group
    assert all(group[s.name] == s.group for s in images.samples)


@pytest.mark.parametrize("near", [False, True])
def test_copies_without_labels_find_their_originals(
    images: ImageSet, cache: Path, tmp_path: Path, near: bool
) -> None:
    planted = _copied(images, tmp_path, 4, near=near, flip=False)
    subject = subject_of(planted, cache=cache)
    names = [sample.name for sample in images.samples]
    half = len(names) // 2
    copies = [f"copy-{row}.{'png' if near else 'tif'}" for row in range(4)]
    found = closest_copies(subject.facts, names[:half], [*names[half:], *copies])
    assert found == {copy: [name] for copy, name in zip(copies, names, strict=False)}
