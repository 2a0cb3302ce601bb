"""The parts of metrics.json as plain values; ``comparison.evaluate`` describes the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medistill.evaluate.calibration import BINS
from medistill.evaluate.diagrams import diagrams
from medistill.evaluate.difference import Difference, classical_tests
from medistill.evaluate.grouped import Table
from medistill.evaluate.intervals import LEVEL, Estimate
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.metrics import Metric
from medistill.evaluate.scored import Scored, estimates


def overall(table: Table) -> list[Metric]:
    """The metrics of a whole model."""
    return [metric for metric in table.metrics.values() if not metric.per_class]


def judged_classes(table: Table, classes: Sequence[str]) -> list[str]:
    """Names of what has figures of its own: every class; of masks all but the background."""
    return list(classes)[table.background :]


def labels_left_out(table: Table, classes: Sequence[str]) -> list[str]:
    """A caveat that names the labels that no mean is over, if there are any."""
    if not isinstance(table, LabelPredictions) or len(table.counted) == table.classes:
        return []
    left = ", ".join(classes[k] for k in range(table.classes) if k not in table.counted)
    return [
        f"Means over labels are of {len(table.counted)} of {table.classes}; in too few groups for "
        f"them, in all or in one fold: {left}."
    ]


def model_values(
    seeds: Sequence[Scored], classes: Sequence[str], word: str
) -> dict[str, Any] | None:
    """A role: its first seed in full, the others as spread; None without a model."""
    if not seeds:
        return None
    shipped = seeds[0]
    table = shipped.table
    found = {m.name: estimates(shipped, m, word) for m in table.metrics.values()}
    drawn = diagrams(table, judged_classes(table, classes))
    floor = shipped.noise_floor
    return {
        **_by_scope(found, table, classes),
        "seeds": {metric.name: spread(seeds, metric.name) for metric in overall(table)},
        "calibration": {
            "bins": drawn.pop("reliability"),
            "noise_floor": None if np.isnan(floor) else floor,
        },
        **drawn,
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
    table = roles["student"][0].table
    return {**_by_scope(found, table, classes), "classical": tests}


def _by_scope(
    found: Mapping[str, Sequence[Estimate]], table: Table, classes: Sequence[str]
) -> dict[str, Any]:
    """Overall metrics by name, and for each class its metrics by name."""
    per_class = [metric.name for metric in table.metrics.values() if metric.per_class]
    return {
        "overall": {metric.name: found[metric.name][0].to_json() for metric in overall(table)},
        "per_class": {
            class_: {name: found[name][c].to_json() for name in per_class}
            for c, class_ in enumerate(judged_classes(table, classes))
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


def counts(table: Table, classes: Sequence[str], *, seeds: int) -> dict[str, Any]:
    """How much there was to evaluate on; ``known_per_class`` leaves out images of unknown label."""
    members = dict(zip(judged_classes(table, classes), table.members, strict=True))
    chosen = {name: inside for name, (inside, _) in members.items()}
    known = {name: int((inside | outside).sum()) for name, (inside, outside) in members.items()}
    return {
        "images": len(table),
        "groups": table.group_count,
        "folds": len(table.fold_rows),
        "seeds": seeds,
        "images_per_class": {name: int(rows.sum()) for name, rows in chosen.items()},
        "groups_per_class": {name: table.groups_with(rows) for name, rows in chosen.items()},
        "known_per_class": known,
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
