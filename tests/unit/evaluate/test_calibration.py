from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
)

from medistill.evaluate.calibration import (
    calibration_error,
    calibration_gaps,
    lower_calibration_bound,
    noise_floor,
    reliability,
)


def test_two_classes_equal_torchmetrics(simulate):
    table = simulate(images=400)
    scores = torch.tensor(table.probabilities[:, 1])
    theirs = binary_calibration_error(scores, torch.tensor(table.labels), n_bins=15, norm="l1")
    assert calibration_error(table.labels, table.probabilities) == pytest.approx(float(theirs))


def test_more_classes_equal_torchmetrics(simulate):
    table = simulate(images=400, classes=4)
    theirs = multiclass_calibration_error(
        torch.tensor(table.probabilities), torch.tensor(table.labels), num_classes=4, n_bins=15
    )
    assert calibration_error(table.labels, table.probabilities) == pytest.approx(
        float(theirs), rel=1e-5
    )


def test_by_hand():
    labels = np.array([0, 1, 1, 1])
    stated = np.array([0.1, 0.1, 0.9, 0.9])
    probabilities = np.stack([1 - stated, stated], axis=1)
    # Bin of .1: half happened, gap +.4, share 1/2. Bin of .9: all happened, gap +.1, share 1/2.
    assert calibration_error(labels, probabilities) == pytest.approx(0.25)
    gaps = calibration_gaps(labels, probabilities)
    assert gaps[gaps != 0] == pytest.approx([0.2, 0.05])
    bins = reliability(labels, probabilities)
    assert [(b.images, b.probability, b.frequency) for b in bins] == [
        (2, pytest.approx(0.1), 0.5),
        (2, pytest.approx(0.9), 1.0),
    ]


def test_certainty_falls_into_the_last_bin():
    probabilities = np.array([[0.0, 1.0], [1.0, 0.0]])
    bins = reliability(np.array([1, 0]), probabilities)
    assert [b.low for b in bins] == [0.0, pytest.approx(14 / 15)]
    assert calibration_error(np.array([1, 0]), probabilities) == 0


def test_noise_floor_is_what_a_calibrated_model_shows():
    random = np.random.default_rng(0)
    shown, floors, bounds = [], [], []
    for _ in range(60):
        stated = random.random(300)
        labels = (random.random(300) < stated).astype(np.int64)
        probabilities = np.stack([1 - stated, stated], axis=1)
        weights = random.multinomial(300, np.full(300, 1 / 300), size=200).astype(float)
        gaps = calibration_gaps(labels, probabilities)
        resampled = calibration_gaps(labels, probabilities, weights)
        shown.append(calibration_error(labels, probabilities))
        floors.append(noise_floor(gaps, resampled))
        bounds.append(lower_calibration_bound(gaps, resampled, level=0.95))
    assert np.mean(floors) == pytest.approx(np.mean(shown), rel=0.1)
    assert np.mean(bounds) == pytest.approx(0, abs=1e-3)


def test_real_miscalibration_has_a_lower_bound_above_zero():
    random = np.random.default_rng(0)
    labels = (random.random(400) < 0.5).astype(np.int64)
    probabilities = np.tile([0.1, 0.9], (400, 1))  # always 90 %, right half of the time
    weights = random.multinomial(400, np.full(400, 1 / 400), size=300).astype(float)
    gaps = calibration_gaps(labels, probabilities)
    bound = lower_calibration_bound(
        gaps, calibration_gaps(labels, probabilities, weights), level=0.95
    )
    assert 0.3 < bound < 0.4
