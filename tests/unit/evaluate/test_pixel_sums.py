from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from medistill.evaluate.pixel_sums import pixel_sums

RANDOM = np.random.default_rng(0)
CHANCES = RANDOM.dirichlet([1.0, 2.0, 0.5], size=(9, 7)).transpose(2, 0, 1)
TRUTH = RANDOM.integers(0, 3, size=(9, 7))


def test_other_libraries_give_the_same() -> None:
    found = pixel_sums(CHANCES, TRUTH)
    count, stated, hits = found[:45].reshape(3, 15)
    rows = CHANCES.reshape(3, -1).T
    error = multiclass_calibration_error(
        torch.from_numpy(rows), torch.from_numpy(TRUTH.ravel()), num_classes=3, n_bins=15
    )
    assert np.abs(hits - stated).sum() / count.sum() == pytest.approx(error.item(), abs=1e-6)
    assert found[-1] == pytest.approx(log_loss(TRUTH.ravel(), rows))
    assert found[-2] == pytest.approx(((rows - np.eye(3)[TRUTH.ravel()]) ** 2).sum(axis=1).mean())


def test_unknown_pixels_do_not_count() -> None:
    some = TRUTH.copy()
    some[:4] = 255
    assert pixel_sums(CHANCES, some) == pytest.approx(pixel_sums(CHANCES[:, 4:], TRUTH[4:]))
    assert not pixel_sums(CHANCES, np.full_like(TRUTH, 255)).any()
