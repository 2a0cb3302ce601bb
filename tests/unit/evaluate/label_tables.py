"""Tables of labels that are not exclusive, and of masks, drawn at random."""

from __future__ import annotations

import numpy as np

from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.pixel_sums import pixel_sums
from medistill.evaluate.segmentation import image_measures


def label_table(*, images: int = 120, groups: int = 60, skill: float = 1.0, model: int = 0):
    """Three labels, the third of them rare, a tenth of all unknown; scores with ties."""
    truth = np.random.default_rng(0)
    labels = (truth.random((images, 3)) < [0.5, 0.3, 0.03]).astype(float)
    labels[truth.random((images, 3)) < 0.1] = np.nan
    noise = np.random.default_rng([1, model]).normal(size=(images, 3))
    odds = skill * (np.nan_to_num(labels, nan=0.5) - 0.5) * 2 + noise
    return LabelPredictions(
        names=[f"i{n}" for n in range(images)],
        groups=[f"g{n % groups}" for n in range(images)],
        labels=labels,
        probabilities=np.round(1 / (1 + np.exp(-odds)), 2),
    )


def mask_table(*, images: int = 30, groups: int = 15, noise: float = 1.0, model: int = 0):
    """Two foreground classes in blocks; some images show neither."""
    truth, own = np.random.default_rng(0), np.random.default_rng([2, model])
    present, overlaps, pixels = [], [], []
    for number in range(images):
        mask = np.zeros((8, 8), np.uint8)
        if number % 3:
            mask[:3, : truth.integers(2, 5)] = 1
        if number % 2:
            mask[5:, truth.integers(3, 6) :] = 2
        odds = 3 * np.moveaxis(np.eye(3)[mask], -1, 0) + noise * own.normal(size=(3, 8, 8))
        chances = np.exp(odds) / np.exp(odds).sum(axis=0)
        said = chances.argmax(axis=0).astype(np.uint8)
        present.append([bool((mask == c).any()) for c in (1, 2)])
        overlaps.append(image_measures(said, mask, classes=3))
        pixels.append(pixel_sums(chances, mask))
    return MaskScores(
        names=[f"i{n}" for n in range(images)],
        groups=[f"g{n % groups}" for n in range(images)],
        present=np.array(present),
        overlaps=np.stack(overlaps),
        pixels=np.stack(pixels),
    )
