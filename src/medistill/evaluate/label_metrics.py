"""What is measured of labels that are not exclusive: label by label where known, and their mean.

Each function maps labels (N, K) of 0, 1 and NaN, probabilities (N, K) and weights (..., N) to an
array (..., K); the mean over the labels that count is (...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from medistill.evaluate.arrays import Floats, ratio, weighting
from medistill.evaluate.calibration import BINS, binned_gaps
from medistill.evaluate.metrics import (
    METRICS,
    SMALLEST_PROBABILITY,
    Metric,
    MetricFunction,
    f1_of_sums,
)
from medistill.evaluate.ranking import binary_auroc, binary_average_precision

NO_LABEL = "no label has ten groups with it and ten without, five of each in every fold"
_OfLabels = Callable[[Floats, Floats, Floats], Floats]


def auroc_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """How often an image with the label gets a higher probability than one without it."""
    columns = [binary_auroc(y, p, weights) for y, p in zip(labels.T, chances.T, strict=True)]
    return np.stack(columns, axis=-1)


def average_precision_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Precision averaged over the steps of recall."""
    pairs = zip(labels.T, chances.T, strict=True)
    return np.stack([binary_average_precision(y, p, weights) for y, p in pairs], axis=-1)


def sensitivity_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Share of images with the label that are called, at a probability of 0.5."""
    return ratio(weights @ ((labels == 1) & (chances >= 0.5)), weights @ (labels == 1))


def specificity_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Share of images without the label that are not called, at a probability of 0.5."""
    return ratio(weights @ ((labels == 0) & (chances < 0.5)), weights @ (labels == 0))


def f1_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Harmonic mean of precision and sensitivity at a probability of 0.5."""
    there, called = labels == 1, np.isfinite(labels) & (chances >= 0.5)
    return f1_of_sums(weights @ (there & called), weights @ there, weights @ called)


def brier_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Mean of (p - y)^2."""
    known = np.isfinite(labels)
    return ratio(weights @ np.where(known, (chances - labels) ** 2, 0.0), weights @ known)


def log_loss_of(labels: Floats, chances: Floats, weights: Floats) -> Floats:
    """Mean of -log of the probability of what is true, in nats."""
    known = np.isfinite(labels)
    return ratio(weights @ np.where(known, losses(labels == 1, chances), 0.0), weights @ known)


def losses(truth: np.ndarray, scores: Floats) -> Floats:
    """-log of the probability of what is true, image by image, in nats."""
    own = np.where(truth, scores, 1 - scores)
    return np.asarray(-np.log(np.clip(own, SMALLEST_PROBABILITY, 1.0)))


def label_gaps(counted: Sequence[int]) -> MetricFunction:
    """Signed terms of the calibration error of the labels that count, over their number."""

    def gaps(labels: np.ndarray, chances: Floats, weights: Floats | None) -> Floats:
        weighed = weighting(weights, len(labels))
        terms = [np.full((*weighed.shape[:-1], BINS), np.nan)] if not counted else []
        for column in counted:
            known = np.isfinite(labels[:, column])
            happened = (labels[known, column] == 1).astype(np.float64)
            terms.append(binned_gaps(chances[known, column], happened, weighed[..., known]))
        return np.concatenate(terms, axis=-1) / max(1, len(counted))

    return gaps


def label_metrics(counted: Sequence[int]) -> Mapping[str, Metric]:
    """Metrics of labels; ``counted`` are the columns whose mean is taken."""
    gaps = label_gaps(counted)

    def error(labels: np.ndarray, chances: Floats, weights: Floats | None) -> Floats:
        return np.asarray(np.abs(gaps(labels, chances, weights)).sum(axis=-1))

    overall = [
        replace(
            METRICS[name],
            function=_mean(function, counted),
            carriers="rarest class",
            undefined=NO_LABEL,
            meaning="Mean over the labels that ten groups have and ten lack, five of each in "
            f"every fold. {meaning}",
        )
        for name, function, meaning in (
            ("auroc", auroc_of, "How often an image with the label gets a higher probability."),
            ("average_precision", average_precision_of, "Guessing gives the label's share."),
            ("brier", brier_of, "Squared distance of the probability from the truth."),
            ("log_loss", log_loss_of, "Negative logarithm of the true answer's probability, nats."),
        )
    ]
    calibration = replace(
        METRICS["calibration_error"],
        function=error,
        gaps=gaps,
        undefined=NO_LABEL,
        meaning="Mean over labels of the distance of probability from observed frequency in 15 "
        "bins of equal width. Over all folds at once.",
    )
    found = [*overall[:2], calibration, *overall[2:], *_of_labels()]
    return {metric.name: metric for metric in found}


def _of_labels() -> list[Metric]:
    plain = {
        "class_auroc": auroc_of,
        "sensitivity": sensitivity_of,
        "specificity": specificity_of,
        "f1": f1_of,
    }
    made = [
        replace(
            METRICS[name],
            function=_all(function),
            title=METRICS[name].title.removesuffix(" against the rest"),
            undefined="the label has one answer only",
            meaning=f"{METRICS[name].title.removesuffix(' against the rest')} of the label where "
            "it is known"
            + ("" if name == "class_auroc" else ", at a probability of 0.5")
            + (", over all folds at once." if METRICS[name].pooled else "."),
        )
        for name, function in plain.items()
    ]
    precision = replace(
        METRICS["average_precision"],
        name="class_average_precision",
        function=_all(average_precision_of),
        per_class=True,
        carriers="class",
        undefined="the label has one answer only",
    )
    return [made[0], precision, *made[1:]]


def _all(function: _OfLabels) -> MetricFunction:
    return lambda labels, chances, weights: function(
        labels, chances, weighting(weights, len(labels))
    )


def _mean(function: _OfLabels, counted: Sequence[int]) -> MetricFunction:
    columns = list(counted)

    def mean(labels: np.ndarray, chances: Floats, weights: Floats | None) -> Floats:
        weighed = weighting(weights, len(labels))
        if not columns:
            return np.full(weighed.shape[:-1], np.nan)
        found = function(labels[:, columns], chances[:, columns], weighed)
        return np.asarray(found.mean(axis=-1))

    return mean
