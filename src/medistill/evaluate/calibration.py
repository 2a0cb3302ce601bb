"""Do probabilities mean what they say? Calibration error, its noise floor and its interval.

Bins: 15 of equal width (Guo et al. 2017, ICML, eq. 3). With two classes the binned value is the
probability of class 1, with more it is that of the predicted class; so do torchmetrics'
BinaryCalibrationError and MulticlassCalibrationError.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medistill.evaluate.arrays import Floats, Ints, ratio, weighting

BINS = 15


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """One bin of a reliability diagram: mean probability against observed frequency."""

    low: float
    high: float
    images: int
    probability: float
    frequency: float


def calibration_error(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Expected calibration error, in [0, 1].

    Sum over bins of the share of images times |frequency - probability|.

    Args:
        labels: shape (N,).
        probabilities: shape (N, C).
        weights: shape (..., N).

    Returns:
        Shape (...); NaN where there is no weight.
    """
    return np.asarray(np.abs(calibration_gaps(labels, probabilities, weights)).sum(axis=-1))


def calibration_gaps(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Signed term of each bin, share times (frequency - probability), shape (..., 15)."""
    stated, happened = _statements(labels, probabilities)
    return binned_gaps(stated, happened, weighting(weights, labels.size))


def binned_gaps(stated: Floats, happened: Floats, weights: Floats) -> Floats:
    """The same of any statements (N,) that came true or not (N,), under weights (..., N)."""
    terms = np.eye(BINS)[bin_of(stated)] * (happened - stated)[:, None]
    return ratio(weights @ terms, weights.sum(axis=-1)[..., None])


def noise_floor(gaps: Floats, gap_resamples: Floats) -> float:
    """Calibration error that a perfectly calibrated model would show on images like these.

    A resample's gaps scatter around the sample's as the sample's scatter around the truth; their
    scatter alone, averaged, is what chance adds up to when every true gap is zero.

    Args:
        gaps: of the sample, shape (15,).
        gap_resamples: of R resamples, shape (R, 15).
    """
    return float(np.abs(gap_resamples - gaps).sum(axis=-1).mean())


def lower_calibration_bound(gaps: Floats, gap_resamples: Floats, *, level: float) -> float:
    """Calibration error that is surely there, in [0, 1].

    The error is a sum of absolute values, so chance only adds to it and an interval around it
    misses a small truth. By the triangle inequality it exceeds the truth by at most the summed
    scatter of the gaps, whose upper quantile is subtracted.
    """
    scatter = np.abs(gap_resamples - gaps).sum(axis=-1)
    margin = float(np.quantile(scatter, (1 + level) / 2))
    return max(0.0, float(np.abs(gaps).sum()) - margin)


def reliability(labels: Ints, probabilities: Floats) -> list[ReliabilityBin]:
    """The bins that hold images, in ascending order."""
    return reliability_of(*_statements(labels, probabilities))


def reliability_of(stated: Floats, happened: Floats) -> list[ReliabilityBin]:
    """The same of any statements (N,) that came true or not (N,)."""
    number = bin_of(stated)
    return [
        ReliabilityBin(
            low=bin_ / BINS,
            high=(bin_ + 1) / BINS,
            images=int((number == bin_).sum()),
            probability=float(stated[number == bin_].mean()),
            frequency=float(happened[number == bin_].mean()),
        )
        for bin_ in np.unique(number).tolist()
    ]


def _statements(labels: Ints, probabilities: Floats) -> tuple[Floats, Floats]:
    """What was stated as probable, and whether it happened; each shape (N,)."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], (labels == 1).astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    return probabilities.max(axis=1), (predicted == labels).astype(np.float64)


def bin_of(stated: Floats) -> Ints:
    """Which of the 15 bins of equal width each statement falls into."""
    edges = np.linspace(0.0, 1.0, BINS + 1)
    return np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, BINS - 1)
