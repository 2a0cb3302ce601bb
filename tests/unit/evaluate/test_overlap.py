from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.segmentation import dice_score

from medistill.evaluate.overlap import dice_difference, dice_of_each, mean_dice
from medistill.evaluate.shares import clusters


def test_equal_to_torchmetrics_and_by_hand() -> None:
    random = np.random.default_rng(0)
    predicted, truth = random.random((2, 20, 8, 8)) < 0.4
    theirs = dice_score(
        torch.from_numpy(predicted[:, None].astype(int)),
        torch.from_numpy(truth[:, None].astype(int)),
        num_classes=1,
        average="none",
        aggregation_level="samplewise",
    )
    np.testing.assert_allclose(dice_of_each(predicted, truth), theirs.ravel(), rtol=1e-6)
    empty = np.zeros((1, 2, 2), dtype=bool)
    assert dice_of_each(empty, empty).tolist() == [1.0]
    assert dice_of_each(empty, ~empty).tolist() == [0.0]


def test_groups_carry_the_interval_and_the_difference_is_paired() -> None:
    random = np.random.default_rng(0)
    base = random.uniform(0.5, 0.9, 120)
    groups = [str(n // 3) for n in range(120)]
    drawn = clusters(groups, word="patient")
    found = mean_dice(np.where(np.arange(120) < 10, np.nan, base), drawn)
    assert found.estimate == pytest.approx(base[10:].mean())
    assert found.low is not None
    gain, p = dice_difference(base + 0.02 + random.normal(0, 0.01, 120), base, drawn)
    assert gain.low is not None
    assert 0 < gain.low < 0.02 < (gain.high or 0)
    assert p is not None
    assert p < 0.001
    nothing, p = dice_difference(base * np.nan, base, drawn)
    assert (nothing.estimate, p) == (None, None)
