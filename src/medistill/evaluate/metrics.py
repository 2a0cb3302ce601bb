"""How good probabilities are. Every metric takes one weighting of the images or thousands.

Each function maps labels (N,), probabilities (N, C) and weights (..., N) to an array (...), or
(..., C) for the metrics of a class. The predicted class is the one of highest probability (the
first of several). A metric that the weights leave undefined, because a class has none, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from medistill.evaluate.arrays import Floats, Ints, ratio, weighting
from medistill.evaluate.calibration import calibration_error, calibration_gaps
from medistill.evaluate.ranking import binary_auroc, binary_average_precision

MetricFunction = Callable[[Any, Floats, Floats | None], Floats]
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)


def confusion(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Weight of images by true class (rows) and predicted class (columns), shape (..., C, C)."""
    classes = probabilities.shape[1]
    cell = labels * classes + probabilities.argmax(axis=1)
    weights = weighting(weights, labels.size)
    counts = weights @ np.eye(classes * classes)[cell]
    return np.asarray(counts.reshape(*weights.shape[:-1], classes, classes))


def accuracy(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Share of images whose predicted class is the true one, in [0, 1]."""
    weights = weighting(weights, labels.size)
    return ratio(weights @ (probabilities.argmax(axis=1) == labels), weights.sum(axis=-1))


def sensitivity(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Share of a class's images that are predicted as it (recall), shape (..., C), in [0, 1]."""
    actual, called = _members(labels, probabilities)
    weights = weighting(weights, labels.size)
    return ratio(weights @ (actual * called), weights @ actual)


def specificity(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Share of the other classes' images not predicted as the class, shape (..., C), in [0, 1]."""
    actual, called = _members(labels, probabilities)
    weights = weighting(weights, labels.size)
    return ratio(weights @ ((1 - actual) * (1 - called)), weights @ (1 - actual))


def f1(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Harmonic mean of a class's precision and sensitivity, shape (..., C), in [0, 1]."""
    actual, called = _members(labels, probabilities)
    weights = weighting(weights, labels.size)
    return f1_of_sums(weights @ (actual * called), weights @ actual, weights @ called)


def f1_of_sums(found: Floats, there: Floats, called: Floats) -> Floats:
    """F1 from how many were found, are there and were called.

    Undefined where none is there: every call would be wrong, whoever makes it.
    """
    return np.where(there > 0, ratio(2 * found, there + called), np.nan)


def balanced_accuracy(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean of the classes' sensitivities, in [0, 1]; undefined where a class is absent."""
    return np.asarray(sensitivity(labels, probabilities, weights).mean(axis=-1))


def class_auroc(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """AUROC of each class against all others, shape (..., C), in [0, 1]; two classes share one."""
    if probabilities.shape[1] == 2:
        curve = binary_auroc(labels == 1, probabilities[:, 1], weights)
        return np.stack([curve, curve], axis=-1)
    columns = range(probabilities.shape[1])
    curves = [binary_auroc(labels == c, probabilities[:, c], weights) for c in columns]
    return np.stack(curves, axis=-1)


def auroc(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """AUROC: of class 1 for two classes, else the mean of one class against the rest."""
    if probabilities.shape[1] == 2:
        return binary_auroc(labels == 1, probabilities[:, 1], weights)
    return np.asarray(class_auroc(labels, probabilities, weights).mean(axis=-1))


def average_precision(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Average precision: of class 1 for two classes, else the mean over one against the rest."""
    columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    curves = [binary_average_precision(labels == c, probabilities[:, c], weights) for c in columns]
    return np.asarray(np.mean(curves, axis=0))


def brier(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean squared distance of the probabilities from the truth (Brier 1950, MWR 78:1).

    Summed over classes (0 to 2); halved for two classes, which makes it the usual (p - y)^2.
    """
    return _mean(brier_of_each(labels, probabilities), weights)


def log_loss(labels: Ints, probabilities: Floats, weights: Floats | None = None) -> Floats:
    """Mean negative logarithm of the true class's probability, in nats, not negative."""
    return _mean(log_loss_of_each(labels, probabilities), weights)


def brier_of_each(labels: Ints, probabilities: Floats) -> Floats:
    """Squared distance of each image, shape (N,); see ``brier``."""
    classes = probabilities.shape[1]
    distance = ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=1)
    return np.asarray(distance / 2 if classes == 2 else distance)


def log_loss_of_each(labels: Ints, probabilities: Floats) -> Floats:
    """Loss of each image in nats, shape (N,); see ``log_loss``."""
    rows = probabilities / probabilities.sum(axis=1, keepdims=True)
    true = rows[np.arange(labels.size), labels]
    return np.asarray(-np.log(np.clip(true, SMALLEST_PROBABILITY, 1.0)))


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric and what must be known to judge it.

    Attributes:
        name: key in metrics.json.
        title: as a person writes it.
        function: see the head of this file.
        better: which direction is good.
        scale: range of its values, which fixes the scale on which its interval is symmetric:
            ``share`` of images and ``unit`` lie in [0, 1], ``positive`` in [0, inf),
            ``calibration`` see calibration.py. F1 is a share: it has the odds, doubled, of TP /
            (TP + FP + FN), and Wilson's interval is the same whatever odds are multiplied by
            (Lam, Gopal and Qian 2023, arXiv:2309.14621, call it Wilson's indirect one).
        per_class: one value a class.
        carriers: whose number limits what the interval can know: all groups, the groups of the
            rarest class, or those of the class and of its rest.
        pooled: computed over all folds at once instead of averaged over folds; of F1 the one
            way that is not biased (Forman and Scholz 2010, SIGKDD Explorations 12:49).
        gaps: signed terms whose absolute values add up to it, for a calibration error.
        undefined: why it may not exist, as a clause.
        meaning: one sentence for the report.
    """

    name: str
    title: str
    function: MetricFunction
    better: Literal["higher", "lower"] = "higher"
    scale: Literal["share", "unit", "positive", "calibration"] = "unit"
    per_class: bool = False
    carriers: Literal["all", "rarest class", "class", "rest", "class and rest"] = "all"
    pooled: bool = False
    gaps: MetricFunction | None = None
    undefined: str = "a class is absent"
    meaning: str

    @property
    def in_text(self) -> str:
        """The title within a sentence; abbreviations and names stay as they are."""
        stays = self.title.startswith(("AUROC", "Brier", "F1", "Dice", "IoU"))
        return self.title if stays else self.title.lower()


_TABLE = (
    Metric(
        name="auroc",
        title="AUROC",
        function=auroc,
        carriers="rarest class",
        meaning="How often an image of the class gets a higher probability than an image that is "
        "not of it; 0.5 is guessing. Of the second class if there are two, else the mean over "
        "classes, each against the rest.",
    ),
    Metric(
        name="average_precision",
        title="Average precision",
        function=average_precision,
        carriers="rarest class",
        meaning="Area under the precision-recall curve; guessing gives the share of the class.",
    ),
    Metric(
        name="accuracy",
        title="Accuracy",
        function=accuracy,
        scale="share",
        meaning="Share of images whose most probable class is the true one.",
    ),
    Metric(
        name="balanced_accuracy",
        title="Balanced accuracy",
        function=balanced_accuracy,
        scale="share",
        carriers="rarest class",
        meaning="Mean of the classes' sensitivities, so that a rare class counts as much.",
    ),
    Metric(
        name="calibration_error",
        title="Calibration error",
        function=calibration_error,
        better="lower",
        scale="calibration",
        pooled=True,
        gaps=calibration_gaps,
        meaning="Mean distance of probability from observed frequency in 15 bins of equal width "
        "(two classes: the probability of the second; more: of the predicted class). Over all "
        "folds at once, because bins of few images look miscalibrated by chance.",
    ),
    Metric(
        name="brier",
        title="Brier score",
        function=brier,
        better="lower",
        scale="positive",
        meaning="Mean squared distance of the probabilities from the truth.",
    ),
    Metric(
        name="log_loss",
        title="Log loss",
        function=log_loss,
        better="lower",
        scale="positive",
        meaning="Mean negative logarithm of the true class's probability, in nats.",
    ),
    Metric(
        name="sensitivity",
        title="Sensitivity",
        function=sensitivity,
        scale="share",
        per_class=True,
        carriers="class",
        meaning="Share of the class's images that were recognised.",
    ),
    Metric(
        name="specificity",
        title="Specificity",
        function=specificity,
        scale="share",
        per_class=True,
        carriers="rest",
        meaning="Share of the other images that were not taken for the class.",
    ),
    Metric(
        name="f1",
        title="F1",
        function=f1,
        scale="share",
        per_class=True,
        carriers="class",
        pooled=True,
        meaning="Harmonic mean of precision and sensitivity. Over all folds at once, because a "
        "mean over folds is biased and does not exist where one fold has nothing of the class.",
    ),
    Metric(
        name="class_auroc",
        title="AUROC against the rest",
        function=class_auroc,
        per_class=True,
        carriers="class and rest",
        meaning="AUROC of the class against all others.",
    ),
)
METRICS = MappingProxyType({metric.name: metric for metric in _TABLE})


def _mean(values: Floats, weights: Floats | None) -> Floats:
    weights = weighting(weights, values.size)
    return ratio(weights @ values, weights.sum(axis=-1))


def _members(labels: Ints, probabilities: Floats) -> tuple[Floats, Floats]:
    """Which class is true, and which is predicted; 0 or 1, each shape (N, C)."""
    classes = np.eye(probabilities.shape[1])
    return classes[labels], classes[probabilities.argmax(axis=1)]
