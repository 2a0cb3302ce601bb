"""Is this image like those the model knows? Scores, and the limit beyond which it is not asked.

Torch-free: logits and, where the graph gives it, the pooled feature are all that is needed.

Energy: minus the log-sum-exp of the logits (Liu et al., "Energy-based Out-of-distribution
Detection", NeurIPS 2020, equation 4, T = 1); for labels that are not exclusive minus the sum of
log(1 + exp(logit)) (Wang et al., "Can multi-label classification networks know what they don't
know?", NeurIPS 2021, equation 6).

Distance: Mahalanobis distance of the pooled feature to the nearest class mean (Lee et al., "A
Simple Unified Framework for Detecting Out-of-Distribution Samples", NeurIPS 2018, equation 2). The
covariance within classes is that of probabilistic PCA (Tipping and Bishop, JRSS B 61:611, 1999):
a few directions with variances of their own and one variance for all others, so that a few hundred
images suffice and the bundle stays small. Its logarithm counts, whose tail is light.

Both are judged from both sides, which is ours: an empty or badly windowed image can lie nearer to
the class means, or give surer logits, than any known image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.core.types import Task

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
POOLED = "pooled"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What brings a score to a common scale: (score - centre) / spread.

    Attributes:
        centre: median of the score over images of the part *calibrate*.
        spread: its deviation that half of the allowed false alarms exceed, so that the larger of
            two deviations is about 1 at the limit.

    Raises:
        ValueError: the spread is not positive.
    """

    centre: float
    spread: float

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise ValueError(f"spread {self.spread} is not positive")


@dataclass(frozen=True, kw_only=True)
class FeatureDistance:
    """Where features of known images lie.

    Attributes:
        means: M points of length D, one a class or a single one.
        directions: P orthonormal directions of length D.
        variances: variance along each direction, positive, length P.
        rest: variance of any other direction, positive.

    Raises:
        ValueError: lengths differ, or a variance is not positive.
    """

    means: tuple[tuple[float, ...], ...]
    directions: tuple[tuple[float, ...], ...]
    variances: tuple[float, ...]
    rest: float

    def __post_init__(self) -> None:
        widths = {len(point) for point in (*self.means, *self.directions)}
        if len(widths) != 1 or len(self.directions) != len(self.variances):
            raise ValueError("means, directions and variances differ in length")
        if not min((self.rest, *self.variances)) > 0:
            raise ValueError("a variance is not positive")

    @property
    def width(self) -> int:
        """Length of a feature, D."""
        return len(self.means[0])


@dataclass(frozen=True, kw_only=True)
class TrustGate:
    """When to say that an image is unlike those the model was made with.

    Attributes:
        energy: scale of the energy score.
        distance: scale of the logarithm of the feature distance; None for a gate on logits alone.
        features: where known features lie; None with ``distance``.
        threshold: largest total score (see ``trust_scores``) that is let through.
        false_alarms: share of known images that it was fitted to stop, in (0, 1).
        groups: how many groups, one image each, of the part *calibrate* fitted it.

    Raises:
        ValueError: only one of ``distance`` and ``features`` is given.
    """

    energy: Scale
    distance: Scale | None
    features: FeatureDistance | None
    threshold: float
    false_alarms: float
    groups: int

    def __post_init__(self) -> None:
        if (self.distance is None) != (self.features is None):
            raise ValueError("a distance needs both its scale and its features")


@dataclass(frozen=True, kw_only=True, eq=False)
class TrustScores:
    """How unlike known images each image is; a higher total is stranger.

    Attributes:
        energy: (N,) energy.
        distance: (N,) squared feature distance over D; None without features.
        total: (N,) the larger deviation of both on their common scales; what the threshold cuts.
        trusted: (N,) whether the total is at most the threshold; False where it is not finite.
    """

    energy: Array
    distance: Array | None
    total: Array
    trusted: Flags


def energy(logits: NDArray[np.floating], *, task: Task) -> Array:
    """Energy score, (N,); for masks the mean over the pixels of an image.

    Args:
        logits: (N, K) or (N, K, ...) for masks, before any temperature.
        task: ``multi-label`` sums over labels.
    """
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # NaN stays NaN, in silence
        if task == "multi-label":
            each: Array = -np.logaddexp(0, values).sum(axis=1)
        else:
            each = -np.logaddexp.reduce(values, axis=1)
    flat: Array = each.reshape(len(each), -1).mean(axis=1) if each.ndim > 1 else each
    return flat


def feature_distance(features: NDArray[np.floating], known: FeatureDistance) -> Array:
    """Squared Mahalanobis distance to the nearest mean over the length of a feature.

    Args:
        features: (N, D) pooled features.
        known: where known features lie.

    Returns:
        (N,), not negative, about 1 for known images.

    Raises:
        ValueError: the features have another length.
    """
    if features.shape[1:] != (known.width,):
        raise ValueError(f"features of shape {features.shape[1:]}, not ({known.width},)")
    directions = np.array(known.directions).reshape(-1, known.width)
    variances = np.array(known.variances)
    nearest = np.full(len(features), np.inf)
    for mean in known.means:
        offset = features.astype(np.float64) - np.array(mean)
        along = offset @ directions.T
        # The residual itself, since a difference of large squares would lose the small variance.
        beyond = ((offset - along @ directions) ** 2).sum(axis=1)
        nearest = np.minimum(nearest, (along**2 / variances).sum(axis=1) + beyond / known.rest)
    return np.asarray(nearest / known.width)


def deviation(scores: Array, scale: Scale) -> Array:
    """How many spreads a score lies from the centre, on either side, (N,)."""
    return np.abs(scores - scale.centre) / scale.spread


def log_distance(distance: Array) -> Array:
    """Logarithm of a feature distance; minus infinity for a feature that is a class mean."""
    with np.errstate(divide="ignore"):
        return np.log(distance)


def trust_scores(
    logits: NDArray[np.floating],
    gate: TrustGate,
    *,
    task: Task,
    features: NDArray[np.floating] | None = None,
) -> TrustScores:
    """Scores of images, and whether each is let through.

    Args:
        logits: (N, K) or (N, K, ...), before any temperature.
        gate: fitted on the same graph's outputs.
        task: what the labels are.
        features: (N, D) pooled features; needed where the gate has a distance.

    Raises:
        ValueError: the gate has a distance and there are no features, or of another length.
    """
    stated = energy(logits, task=task)
    total = deviation(stated, gate.energy)
    distance: Array | None = None
    if gate.features is not None and gate.distance is not None:
        if features is None:
            raise ValueError(f"this gate needs the feature '{POOLED}'")
        distance = feature_distance(features, gate.features)
        total = np.maximum(total, deviation(log_distance(distance), gate.distance))
    # NaN compares as False, so what cannot be scored is not let through.
    return TrustScores(
        energy=stated, distance=distance, total=total, trusted=total <= gate.threshold
    )
