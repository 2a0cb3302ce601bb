"""Fits the gate against strange images: known features from *fit*, its limit on *calibrate*."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.conformal import fewest_groups
from medistill.bundle.trust import (
    FeatureDistance,
    Scale,
    TrustGate,
    deviation,
    energy,
    feature_distance,
    log_distance,
)
from medistill.core.counting import plural
from medistill.core.types import Task
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.one_per_group import one_per_group

MOST_DIRECTIONS = 32
IMAGES_PER_DIRECTION = 5
FEWEST_KNOWN = 20
_DIGITS = 6


def known_features(features: Floats, labels: Ints | None = None) -> FeatureDistance | None:
    """Where features of known images lie: class means and their common spread.

    Args:
        features: (N, D) pooled features of training images.
        labels: (N,) class numbers for one mean a class; None for a single mean, as for labels
            that are not exclusive.

    Returns:
        None with fewer than 20 images, or where no feature varies. Directions: at most 32, and
        one for every five images.
    """
    if len(features) < FEWEST_KNOWN:
        return None
    marks = np.zeros(len(features), np.int64) if labels is None else labels
    present = np.unique(marks)
    means = np.stack([features[marks == mark].mean(axis=0) for mark in present])
    centred = features - means[np.searchsorted(present, marks)]
    freedom = max(1, len(features) - present.size)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    variances = singular**2 / freedom
    width = features.shape[1]
    kept = min(MOST_DIRECTIONS, width - 1, len(features) // IMAGES_PER_DIRECTION)
    floor = 1e-6 * float(variances[0])
    if not floor > 0:
        return None
    rest = max(floor, float(variances[kept:].sum()) / max(1, width - kept))
    return FeatureDistance(
        means=tuple(map(_short, means)),
        directions=tuple(map(_short, directions[:kept])),
        variances=_short(np.maximum(variances[:kept], rest)),
        rest=float(f"{rest:.{_DIGITS}g}"),
    )


def fit_trust(
    logits: Floats,
    groups: Sequence[str],
    *,
    task: Task,
    features: Floats | None = None,
    known: FeatureDistance | None = None,
    false_alarms: float = 0.05,
    word: str = "group",
    seed: int = 0,
) -> tuple[TrustGate | None, dict[str, str]]:
    """The gate that stops a wished share of known images, or why there is none.

    One image a group, by the same rank as a conformal quantile: an image of a new group like
    these is stopped with probability ``false_alarms`` at most. 5 % needs 19 groups.

    Args:
        logits: of *calibrate*, (N, K) or (N, K, H, W), before any temperature.
        groups: group of each image, length N.
        task: what the labels are.
        features: (N, D) pooled features of the same images; None for a gate on logits alone.
        known: where features of the part *fit* lie; used with ``features``.
        false_alarms: in (0, 1).
        word: what a group is called.
        seed: of the draw of one image a group.
    """
    floor = fewest_groups(1 - false_alarms)
    rows = one_per_group(groups, np.arange(len(groups)), seed=seed)
    if rows.size < floor:
        reason = f"too few groups ({plural(word, int(rows.size))}; it needs at least {floor})"
        return None, {"trust": reason}
    stated = energy(logits[rows], task=task)
    scale = _scale(stated, false_alarms)
    if scale is None:
        return None, {"trust": "all images have the same logits"}
    total, distance, reasons = deviation(stated, scale), None, {}
    if features is not None and known is not None:
        far = log_distance(feature_distance(features[rows], known))
        distance = _scale(far, false_alarms)
        if distance is not None:
            total = np.maximum(total, deviation(far, distance))
    if distance is None:
        reasons["trust.distance"] = "there are no features, or they do not vary"
    gate = TrustGate(
        energy=scale,
        distance=distance,
        features=known if distance is not None else None,
        threshold=float(np.sort(total)[_rank(rows.size, 1 - false_alarms)]),
        false_alarms=false_alarms,
        groups=int(rows.size),
    )
    return gate, reasons


def _rank(count: int, level: float) -> int:
    return int(np.ceil(round((count + 1) * level, 9))) - 1


def _scale(scores: Floats, false_alarms: float) -> Scale | None:
    """Median, and the deviation that half of the allowed false alarms exceed.

    So both scores stop as many known images. With the interquartile range as spread, the energy,
    whose tails are heavy, set the limit alone, and what only the distance sees came through.
    """
    centre = float(np.median(scores))
    spread = float(np.quantile(np.abs(scores - centre), 1 - false_alarms / 2))
    return Scale(centre=centre, spread=spread) if spread > 0 else None


def _short(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Few digits, because a bundle holds thousands of these numbers as text."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values.tolist())
