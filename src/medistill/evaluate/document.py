"""The parts of metrics.json as plain values; ``comparison.evaluate`` describes the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from medistill.evaluate.calibration import BINS, reliability
from medistill.evaluate.curves import precision_recall, roc
from medistill.evaluate.difference import Difference, classical_tests
from medistill.evaluate.intervals import LEVEL, Estimate
from medistill.evaluate.metrics import METRICS, Metric, confusion
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import Scored, estimates

OVERALL = tuple(metric for metric in METRICS.values() if not metric.per_class)


def model_values(
    seeds: Sequence[Scored], classes: Sequence[str], word: str
) -> dict[str, Any] | None:
    """A role: its first seed in full, the others as spread; None without a model."""
    if not seeds:
        return None
    shipped = seeds[0]
    table = shipped.table
    found = {m.name: estimates(shipped, m, word) for m in METRICS.values()}
    return {
        **_by_scope(found, classes),
        "seeds": {metric.name: spread(seeds, metric.name) for metric in OVERALL},
        "confusion": confusion(table.labels, table.probabilities).astype(int).tolist(),
        "calibration": {
            "bins": [asdict(b) for b in reliability(table.labels, table.probabilities)],
            "noise_floor": shipped.noise_floor,
        },
        "roc": {name: roc(table, c) for c, name in enumerate(classes)},
        "precision_recall": {name: precision_recall(table, c) for c, name in enumerate(classes)},
    }


def pair_values(
    roles: Mapping[str, Sequence[Scored]],
    found: Mapping[str, list[Difference]] | None,
    other: str,
    classes: Sequence[str],
    word: str,
) -> dict[str, Any] | None:
    """Student minus another role; None without that role."""
    if found is None:
        return None
    tests = classical_tests(roles["student"][0], roles[other][0], word)
    return {**_by_scope(found, classes), "classical": tests}


def _by_scope(found: Mapping[str, Sequence[Estimate]], classes: Sequence[str]) -> dict[str, Any]:
    """Overall metrics by name, and for each class its metrics by name."""
    per_class = [metric.name for metric in METRICS.values() if metric.per_class]
    return {
        "overall": {metric.name: found[metric.name][0].to_json() for metric in OVERALL},
        "per_class": {
            class_: {name: found[name][c].to_json() for name in per_class}
            for c, class_ in enumerate(classes)
        },
    }


def spread(seeds: Sequence[Scored], name: str) -> dict[str, Any]:
    """Values of a metric over training seeds, with mean and deviation where there are any."""
    values = [float(scored.values[name]) for scored in seeds]
    defined = [value for value in values if not np.isnan(value)]
    return {
        "values": [None if np.isnan(value) else value for value in values],
        "mean": float(np.mean(defined)) if defined else None,
        "sd": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
    }


def counts(table: Predictions, classes: Sequence[str], *, seeds: int) -> dict[str, Any]:
    """How much there was to evaluate on."""
    chosen = {name: table.labels == c for c, name in enumerate(classes)}
    return {
        "images": len(table),
        "groups": table.group_count,
        "folds": len(table.fold_rows),
        "seeds": seeds,
        "images_per_class": {name: int(rows.sum()) for name, rows in chosen.items()},
        "groups_per_class": {name: table.groups_with(rows) for name, rows in chosen.items()},
    }


def statistics(resamples: int, flips: int, seed: int) -> dict[str, Any]:
    """How the intervals and p-values were made."""
    return {
        "level": LEVEL,
        "resamples": resamples,
        "flips": flips,
        "seed": seed,
        "calibration_bins": BINS,
    }


def definition(metric: Metric) -> dict[str, Any]:
    """What a reader must know of a metric."""
    keys = ("title", "better", "per_class", "pooled", "meaning")
    return {key: getattr(metric, key) for key in keys}
