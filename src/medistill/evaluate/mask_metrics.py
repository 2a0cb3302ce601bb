"""What is measured of masks, image by image, and averaged over images.

Each function maps which classes the truth shows (N, K), the measures of the images (N, 4 K + 47;
see ``mask_scores``) and weights (..., N) to an array (...), or (..., K) for the metrics of a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medistill.evaluate.arrays import Floats, ratio, weighting
from medistill.evaluate.calibration import BINS
from medistill.evaluate.metrics import METRICS, Metric, MetricFunction
from medistill.evaluate.segmentation import MEASURES

NOT_SHOWN = "neither the truth nor the model shows the class"
_TITLES = {
    "dice": ("Dice", "Twice the common pixels over both areas, image by image."),
    "iou": ("IoU", "Common pixels over those of either mask, image by image."),
    "hd95": (
        "HD95, pixels",
        "95th percentile of the distance between both boundaries; the image's diagonal where one "
        "mask is empty.",
    ),
    "boundary_f": (
        "Boundary F",
        "Share of boundary pixels that lie near the other boundary, both ways.",
    ),
}


def means_by_class(measure: int) -> MetricFunction:
    """Mean of a measure over the images that have it, for each class, (..., K)."""

    def means(present: np.ndarray, answers: Floats, weights: Floats | None) -> Floats:
        classes = present.shape[1]
        values = answers[:, : classes * len(MEASURES)].reshape(len(answers), classes, -1)
        each = values[..., measure]
        known = np.isfinite(each)
        weighed = weighting(weights, len(each))
        return ratio(weighed @ np.where(known, each, 0.0), weighed @ known.astype(np.float64))

    return means


def over_classes(means: Floats) -> Floats:
    """Mean over the classes that are defined, (...); NaN where none is."""
    known = np.isfinite(means)
    return ratio(np.where(known, means, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


def pixel_gaps(present: np.ndarray, answers: Floats, weights: Floats | None) -> Floats:
    """Signed terms of the calibration error of pixels, (..., 15)."""
    sums = answers[:, -(3 * BINS + 2) : -2]
    weighed = weighting(weights, len(sums)) @ sums
    pixels = weighed[..., :BINS].sum(axis=-1)
    return ratio(weighed[..., 2 * BINS :] - weighed[..., BINS : 2 * BINS], pixels[..., None])


def pixel_error(present: np.ndarray, answers: Floats, weights: Floats | None) -> Floats:
    """Calibration error of the predicted class of pixels, in [0, 1]."""
    return np.asarray(np.abs(pixel_gaps(present, answers, weights)).sum(axis=-1))


def mask_metrics(classes: int) -> Mapping[str, Metric]:
    """Metrics of masks with so many foreground classes; of one class its own are left out."""
    overall = [_overall(number, name) for number, name in enumerate(MEASURES)]
    own = [replace(m, name=f"class_{m.name}", per_class=True, carriers="class") for m in overall]
    by_class = [
        replace(metric, function=means_by_class(number), meaning=_TITLES[MEASURES[number]][1])
        for number, metric in enumerate(own)
    ]
    found = [*overall, *_of_pixels(), *by_class]
    return {metric.name: metric for metric in found}


def _overall(number: int, name: str) -> Metric:
    title, meaning = _TITLES[name]
    means = means_by_class(number)

    def function(present: np.ndarray, answers: Floats, weights: Floats | None) -> Floats:
        return over_classes(means(present, answers, weights))

    return Metric(
        name=name,
        title=title,
        function=function,
        better="lower" if name == "hd95" else "higher",
        scale="positive" if name == "hd95" else "unit",
        undefined=NOT_SHOWN,
        meaning=f"{meaning} Mean over images, then over classes; images where neither the truth "
        "nor the model shows a class do not count for it.",
    )


def _of_pixels() -> list[Metric]:
    return [
        replace(
            METRICS["calibration_error"],
            function=pixel_error,
            gaps=pixel_gaps,
            title="Calibration error of pixels",
            meaning="Mean distance of the predicted class's probability from how often it is "
            "right, in 15 bins of equal width, over the pixels of all images.",
        ),
        replace(
            METRICS["brier"],
            function=_column(-2),
            title="Brier score of pixels",
            meaning="Mean squared distance of a pixel's probabilities from the truth, by "
            "image, over the images with a labelled pixel.",
        ),
        replace(
            METRICS["log_loss"],
            function=_column(-1),
            title="Log loss of pixels",
            meaning="Mean negative logarithm of the true class's probability of a pixel, in nats, "
            "over the images with a labelled pixel.",
        ),
    ]


def _column(number: int) -> MetricFunction:
    """Mean over the images of which anybody labelled a pixel."""

    def mean(present: np.ndarray, answers: Floats, weights: Floats | None) -> Floats:
        pixels = answers[:, -(3 * BINS + 2) : -(2 * BINS + 2)].sum(axis=1)
        weighed = weighting(weights, len(answers)) * (pixels > 0)
        return ratio(weighed @ answers[:, number], weighed.sum(axis=-1))

    return mean
