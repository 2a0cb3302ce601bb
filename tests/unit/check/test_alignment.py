"""Shifted, cropped and re-coloured pictures are found to be one; strangers are not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medistill.check.alignment import SIDE, aligned_likeness
from medistill.core.types import ImageSet


def _look(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def _pictures(images: ImageSet, count: int) -> list[Image.Image]:
    return [Image.open(sample.path).convert("L") for sample in images.samples[:count]]


@pytest.mark.parametrize("percent", [1, 2, 4])
def test_cropped_pictures_are_one(images: ImageSet, percent: int) -> None:
    pictures = _pictures(images, 12)
    cut = [i.width * percent // 100 for i in pictures]
    cropped = [i.crop((c, c, i.width, i.height - c)) for i, c in zip(pictures, cut, strict=True)]
    whole = np.stack([_look(i) for i in pictures])
    found = aligned_likeness(whole, np.stack([_look(i) for i in cropped]))
    assert np.median(found) > 0.98
    assert found.min() > 0.97


def test_contrast_does_not_matter(images: ImageSet) -> None:
    whole = np.stack([_look(i) for i in _pictures(images, 4)])
    np.testing.assert_allclose(aligned_likeness(whole, whole // 2 + 60), 1, atol=1e-3)


def test_strangers_are_not_one(images: ImageSet) -> None:
    whole = np.stack([_look(i) for i in _pictures(images, 40)])
    one, two = np.triu_indices(len(whole), 1)
    strangers = np.array(
        [images.samples[a].group != images.samples[b].group for a, b in zip(one, two, strict=True)]
    )
    assert aligned_likeness(whole[one[strangers]], whole[two[strangers]]).max() < 0.96


def test_flat_and_no_pictures_are_answered() -> None:
    flat = np.full((2, SIDE, SIDE), 7, dtype=np.uint8)
    assert (aligned_likeness(flat, flat) < 0.5).all()
    assert aligned_likeness(flat[:0], flat[:0]).shape == (0,)
