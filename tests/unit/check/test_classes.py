"""Classes, groups and labels: each fault at three strengths."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medistill.check.classes import (
    class_findings,
    group_findings,
    label_findings,
    mixed_findings,
    person_of,
)
from medistill.check.facts import Facts
from medistill.check.finding import Finding
from medistill.check.subject import Subject
from tests.unit.check.planted import named
from tests.unit.data.pictures import labelled_set


def _subject(labels: list[object], **options: object) -> Subject:
    images = labelled_set(labels, **options)  # type: ignore[arg-type]
    parts = {s.name: s.split for s in images.samples if s.split}
    return Subject(images=images, facts={s.name: Facts() for s in images.samples}, parts=parts)


@pytest.mark.parametrize("ratio", [12, 30, 100])
def test_imbalance(ratio: int) -> None:
    found = named(list(class_findings(_subject([0] * 5 * ratio + [1] * 5))), "imbalance")
    assert found is not None
    assert found.figures == {"ratio": ratio, "rarest": "ill"}


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_class_in_few_groups(groups: int) -> None:
    names = [f"a{n}" for n in range(20)] + [f"b{n % groups}" for n in range(20)]
    found = named(list(class_findings(_subject([0] * 20 + [1] * 20, groups=names))), "rare-classes")
    assert found is not None
    assert (found.severity, found.figures) == ("fatal", {"ill": groups})


@pytest.mark.parametrize("count", [1, 4, 10])
def test_groups_in_two_parts(count: int) -> None:
    groups = [n % 20 for n in range(40)]
    splits = ["train"] * 20 + ["test" if n < count else "train" for n in range(20)]
    found = named(
        list(group_findings(_subject([0, 1] * 20, groups=groups, splits=splits))), "shared-groups"
    )
    assert found is not None
    assert found.figures == {"groups": count, "images": 2 * count}


@pytest.mark.parametrize("count", [1, 4, 10])
def test_person_in_two_classes(count: int) -> None:
    names = [f"virus/person{n}_virus_1.png" for n in range(20)]
    names += [f"bacteria/person{n if n < count else 100 + n}_bacteria_2.png" for n in range(20)]
    subject = _subject([0] * 20 + [1] * 20)
    samples = tuple(
        dataclasses.replace(s, path=Path(name), name=name)
        for s, name in zip(subject.images.samples, names, strict=True)
    )
    subject = dataclasses.replace(
        subject, images=dataclasses.replace(subject.images, samples=samples)
    )
    found = named(list(mixed_findings(subject)), "person-in-two-classes")
    assert found is not None
    assert (found.figures["shared"], found.figures["images"]) == (count, 2 * count)


def _expect_shared(found: Finding | None, count: int, first: list[str]) -> None:
    """A warning on so many of the persons of 40 images, two of each; none on no person."""
    if count == 0:
        assert found is None
        return
    assert found is not None
    figures = {"persons": 40 - count, "shared": count, "images": 2 * count}
    assert (found.severity, found.figures) == ("warning", figures)
    assert first in found.groups


@pytest.mark.parametrize("count", [1, 4, 10])
@pytest.mark.parametrize("grouped", [False, True])
def test_person_in_two_parts(count: int, grouped: bool) -> None:
    numbers = [*range(20), *(n if n < count else 100 + n for n in range(20))]
    names = [f"person{n}_virus_{row}.png" for row, n in enumerate(numbers)]
    images = _subject([0] * 40, splits=["train"] * 20 + ["test"] * 20).images
    samples = tuple(
        dataclasses.replace(s, name=name, group=f"person {n}" if grouped else name)
        for s, name, n in zip(images.samples, names, numbers, strict=True)
    )
    subject = Subject(
        images=dataclasses.replace(images, samples=samples),
        facts={name: Facts() for name in names},
        parts={sample.name: sample.split for sample in samples if sample.split},
    )
    found = named(list(mixed_findings(subject)), "person-in-two-parts")
    _expect_shared(found, 0 if grouped else count, [names[0], names[20]])


@pytest.mark.parametrize("count", [1, 4, 10])
@pytest.mark.parametrize("word", ["image", "patient"])
def test_person_in_two_groups(count: int, word: str) -> None:
    numbers = [*range(20), *(n if n < count else 100 + n for n in range(20))]
    names = [f"virus/person{n}_{row}.png" for row, n in enumerate(numbers)]
    images = _subject([0] * 40).images
    samples = tuple(
        dataclasses.replace(s, name=name, group=name)
        for s, name in zip(images.samples, names, strict=True)
    )
    subject = Subject(
        images=dataclasses.replace(images, samples=samples, group_word=word),
        facts={name: Facts() for name in names},
        parts={},
    )
    found = named(list(mixed_findings(subject)), "person-in-two-groups")
    _expect_shared(found, 0 if word == "patient" else count, [names[0], names[20]])


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("virus/person12_virus_3.png", "person12"),
        ("Patient 7-a.png", "patient 7"),
        ("covid/patient_001/3.png", "covid/patient_001"),
        ("train/COVID/P-17/CT/3.png", "covid/p-17"),
        ("test/covid/CT/case 1/P2/3.png", "covid/ct/case 1"),
        ("train/0/3.png", ""),  # a class
        ("train/P1/3.png", ""),  # likewise
        ("patient_001/3.png", ""),  # a class, or whoever reads it refuses it
        ("covid/series 3/1.png", ""),
        ("covid/3.png", ""),
    ],
)
def test_numbers_of_persons(name: str, person: str) -> None:
    assert person_of(name) == person


def test_a_person_with_two_labels_is_in_no_two_classes() -> None:
    subject = _subject([(1.0, 1.0), (1.0, 0.0)], task="multi-label")
    samples = tuple(
        dataclasses.replace(s, name=f"person{row}_{row}.png")
        for row, s in enumerate(subject.images.samples)
    )
    images = dataclasses.replace(subject.images, samples=samples)
    assert list(mixed_findings(dataclasses.replace(subject, images=images))) == []


@pytest.mark.parametrize(("unknown", "severity"), [(1, "note"), (10, "note"), (15, "warning")])
def test_unknown_labels(unknown: int, severity: str) -> None:
    values = [np.nan if n < unknown else 1.0 for n in range(20)]
    labels = [(values[2 * n], values[2 * n + 1]) for n in range(10)]
    found = named(
        list(label_findings(_subject(list(labels), task="multi-label"))), "unknown-labels"
    )
    assert found is not None
    assert (found.figures["unknown"], found.severity) == (unknown, severity)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_unlabelled_images_are_counted(count: int) -> None:
    found = named(list(label_findings(_subject([0, 1] * 5 + [None] * count))), "unlabelled")
    assert found is not None
    assert found.figures["images"] == count


def test_clean_labels_are_silent() -> None:
    subject = _subject([0, 1] * 20)
    assert list(label_findings(subject)) == list(mixed_findings(subject)) == []


def test_images_groups_and_studies_are_counted_by_class_and_part() -> None:
    subject = _subject(
        [0, 0, 0, 1, 1],
        groups=["p", "p", "q", "p", "r"],
        splits=["train", "train", "test", "train", "test"],
    )
    found = named(list(class_findings(subject)), "classes")
    assert found is not None
    assert found.text == "images (groups: patient): healthy 3 (2), ill 2 (2)"
    assert found.figures["healthy"] == {
        "images": 3,
        "groups": 2,
        "parts": {"test": {"images": 1, "groups": 1}, "train": {"images": 2, "groups": 1}},
    }
    samples = [dataclasses.replace(s, study="one") for s in subject.images.samples]
    images = dataclasses.replace(subject.images, samples=tuple(samples))
    with_studies = named(
        list(class_findings(dataclasses.replace(subject, images=images))), "classes"
    )
    assert with_studies is not None
    assert with_studies.figures["ill"]["studies"] == 1
    assert with_studies.figures["ill"]["parts"]["train"]["studies"] == 1


def test_masks_are_counted_by_what_they_show() -> None:
    labels = [(1.0, 1.0, 0.0)] * 12 + [(1.0, 1.0, 1.0)] + [(1.0, 0.0, 0.0)] * 3
    subject = _subject(
        list(labels),
        groups=[n // 2 for n in range(16)],
        splits=["train"] * 14 + ["test"] * 2,
        classes=("background", "lung", "lesion"),
        task="segmentation",
    )
    found = list(class_findings(subject))
    counted = named(found, "classes")
    assert counted is not None
    assert (
        counted.text == "images that show each class (groups: patient): lung 13 (7), lesion 1 (1)"
    )
    assert counted.figures["lung"]["parts"] == {"train": {"images": 13, "groups": 7}}
    empty = named(found, "empty-masks")
    assert empty is not None
    assert empty.text == "3 of 16 masks (18.8 %) are empty"
    assert empty.figures["parts"] == {
        "test": {"images": 2, "groups": 1},
        "train": {"images": 1, "groups": 1},
    }
    rare, imbalance = named(found, "rare-classes"), named(found, "imbalance")
    assert rare is not None
    assert imbalance is not None
    assert (rare.severity, rare.figures) == ("warning", {"lesion": 1})
    assert (imbalance.figures, "Dice" in imbalance.cure) == (
        {"ratio": 13.0, "rarest": "lesion"},
        True,
    )


def test_sentences_agree_with_their_numbers() -> None:
    one = _subject([0, None], groups=["p", "p"], splits=["train", "test"])
    texts = {f.check: f.text for check in (group_findings, label_findings) for f in check(one)}
    assert texts == {
        "groups": "2 images in 1 group (patient), the largest of 2",
        "shared-groups": "1 group (patient) with 2 images lies in two parts",
        "unlabelled": "1 of 2 images (50.0 %) has no label",
    }
