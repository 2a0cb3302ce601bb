"""Metrics of labels that are not exclusive: per label where it is known, and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.intervals import Support, estimate_with_interval
from medistill.evaluate.ranking import binary_auroc, binary_average_precision
from medistill.evaluate.shares import Clusters

BLOCK = 200


def label_values(
    chances: Floats, labels: Floats, *, classes: Sequence[str], drawn: Clusters
) -> dict[str, Any]:
    """AUROC and average precision of each label and their mean, with group-level intervals.

    Args:
        chances: (N, K) probabilities.
        labels: (N, K) of 0, 1 and NaN where unknown.
        classes: names in the order of the columns.
        drawn: groups of the images.

    Returns:
        ``per_label`` and ``macro``, for each metric an estimate; ``known``: images with a label.
        A label that no image has, or that all have, is None with its reason and left out of the
        macro mean, whose reason then names it.
    """
    found = {name: _of_metric(name, chances, labels, drawn) for name in METRICS}
    per_label: dict[str, Any] = {}
    for column, label in enumerate(classes):
        support = _support(labels[:, column], drawn)
        per_label[label] = {
            name: estimate_with_interval(
                float(value[column]), resampled[:, column], scale="unit", support=support
            ).to_json()
            for name, (value, resampled) in found.items()
        }
    return {
        "per_label": per_label,
        "macro": {name: _macro(*pair, labels, classes, drawn) for name, pair in found.items()},
        "known": {
            label: int(np.isfinite(labels[:, column]).sum()) for column, label in enumerate(classes)
        },
    }


METRICS = {"auroc": binary_auroc, "average_precision": binary_average_precision}


def _of_metric(
    name: str, chances: Floats, labels: Floats, drawn: Clusters
) -> tuple[Floats, Floats]:
    """Value of each label (K,), and of each resample (R, K)."""
    values, resampled = [], []
    for column in range(labels.shape[1]):
        known = np.isfinite(labels[:, column])
        truth, scores = labels[known, column] == 1, chances[known, column]
        if truth.all() or not truth.any():
            values.append(np.nan)
            resampled.append(np.full(len(drawn.counts), np.nan))
            continue
        values.append(float(METRICS[name](truth, scores)))
        index = drawn.index[known]
        blocks = [
            METRICS[name](truth, scores, drawn.counts[start : start + BLOCK][:, index])
            for start in range(0, len(drawn.counts), BLOCK)
        ]
        resampled.append(np.concatenate(blocks))
    return np.array(values), np.stack(resampled, axis=1)


def _macro(
    value: Floats,
    resampled: Floats,
    labels: Floats,
    classes: Sequence[str],
    drawn: Clusters,
) -> dict[str, Any]:
    defined = np.isfinite(value)
    if not defined.any():
        return {
            **estimate_with_interval(
                float("nan"), resampled[:, 0], scale="unit", support=_support(labels[:, 0], drawn)
            ).to_json(),
            "left_out": list(classes),
        }
    supports = [_support(labels[:, c], drawn) for c in np.flatnonzero(defined)]
    found = estimate_with_interval(
        float(value[defined].mean()),
        resampled[:, defined].mean(axis=1),
        scale="unit",
        support=min(supports, key=lambda each: each.carriers),
    )
    left_out = [name for name, held in zip(classes, defined, strict=True) if not held]
    return {**found.to_json(), "left_out": left_out}


def _support(labels: Floats, drawn: Clusters) -> Support:
    """Groups that have the label, or that lack it, whichever are fewer."""
    sides = [np.unique(drawn.index[labels == answer]).size for answer in (0, 1)]
    return Support(carriers=int(min(sides)), groups=drawn.counts.shape[1], folds=1, word=drawn.word)
