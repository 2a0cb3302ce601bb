"""Near copies share a cluster of bounded width; strangers are alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.check import near
from medistill.check.near import aligned_pairs, are_one, by, root_of
from medistill.core.types import ImageSet
from tests.unit.check.planted import as_jpeg, subject_of, with_samples


def _with_crops(images: ImageSet, root: Path, percents: tuple[int, ...]) -> ImageSet:
    """The first picture cut by some percents of its width on the left."""
    old, extra = images.samples[0], []
    with Image.open(old.path) as image:
        whole = image.convert("L")
    for percent in percents:
        path = root / f"cut-{percent}.png"
        left = round(percent * whole.width / 100)
        as_jpeg(whole.crop((left, 0, whole.width, whole.height)), 80).save(path)
        extra.append(dataclasses.replace(old, path=path, name=path.name))
    return with_samples(images, extra)


def test_strangers_are_alone(images: ImageSet, cache: Path) -> None:
    subject = subject_of(images, cache=cache)
    clusters = subject.near_copies
    assert [len(held) for held in clusters] == [1] * len(images.samples)
    names = [sample.name for sample in images.samples]
    assert aligned_pairs(subject.facts, names).shape == (0, 2)


def test_crops_of_one_picture_are_one_cluster(
    images: ImageSet, cache: Path, tmp_path: Path
) -> None:
    subject = subject_of(_with_crops(images, tmp_path, (1, 2, 3)), cache=cache)
    (large,) = [held for held in subject.near_copies if len(held) > 1]
    assert set(large) == {images.samples[0].name, "cut-1.png", "cut-2.png", "cut-3.png"}


def test_wide_cluster_falls_apart(
    images: ImageSet, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = subject_of(_with_crops(images, tmp_path, (1, 2, 3)), cache=cache)
    monkeypatch.setattr(near, "WIDEST", 0)
    assert max(map(len, subject.near_copies)) < 4


def test_distant_hashes_need_more_likeness() -> None:
    one = np.ones((3, 64), dtype=np.float32)
    two = one.copy()
    two[1:, :13] = -1
    answers = are_one(one, two, np.array([0.976, 0.976, 0.99]))
    assert answers.tolist() == [True, False, True]


def test_root_is_found_through_parents() -> None:
    assert root_of(np.array([0, 0, 1, 3]), 2) == 0


def test_names_by_key_keep_their_order() -> None:
    assert by("abab", ["1", "2", "3", "4"]) == {"a": ["1", "3"], "b": ["2", "4"]}
