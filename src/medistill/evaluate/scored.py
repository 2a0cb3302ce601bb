"""One model on one set of images: every metric, and the same of every resample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.bootstrap import Resamples, Statistic, replicate
from medistill.evaluate.calibration import (
    lower_calibration_bound,
    noise_floor,
)
from medistill.evaluate.grouped import Table
from medistill.evaluate.intervals import (
    LEVEL,
    Estimate,
    Support,
    estimate_with_interval,
)
from medistill.evaluate.metrics import Metric

GAPS = "calibration_gaps"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A model's table with its statistics.

    Attributes:
        table: the predictions.
        values: each statistic as it is, shape () or (K,).
        resampled: each statistic in R resamples, shape (R,) or (R, K).
    """

    table: Table
    values: Mapping[str, Floats]
    resampled: Mapping[str, Floats]

    @property
    def noise_floor(self) -> float:
        """Calibration error that chance alone would show; see ``calibration.noise_floor``."""
        return noise_floor(self.values[GAPS], self.resampled[GAPS])


def statistics_of(table: Table) -> dict[str, Statistic]:
    """Everything that is resampled of a table: its metrics, and the terms of calibration errors."""
    found = {
        m.name: Statistic(function=m.function, pooled=m.pooled) for m in table.metrics.values()
    }
    gaps = next(metric.gaps for metric in table.metrics.values() if metric.gaps is not None)
    return {**found, GAPS: Statistic(function=gaps, pooled=True)}


def score(
    tables: Sequence[Table], drawn: Resamples, only: Collection[str] | None = None
) -> list[Scored]:
    """Score models on the same images under the same resamples.

    Args:
        tables: one a model.
        drawn: resamples of the images' groups.
        only: names of metrics, where the others are not asked for.
    """
    statistics = statistics_of(tables[0])
    if only is not None:
        statistics = {name: statistics[name] for name in statistics if name in only}
    resampled = replicate(tables, statistics, drawn)
    return [
        Scored(
            table=table,
            values={name: statistic.of(table) for name, statistic in statistics.items()},
            resampled=values,
        )
        for table, values in zip(tables, resampled, strict=True)
    ]


def supports(table: Table, metric: Metric, word: str) -> list[Support]:
    """Evidence behind a metric: one entry, or one a class for the metrics of a class."""
    members = [table.groups_with(inside) for inside, _ in table.members]
    rest = [table.groups_with(outside) for _, outside in table.members]
    counted: Sequence[int] = getattr(table, "counted", ()) or range(table.classes)
    carriers = {
        "all": [table.group_count],
        "rarest class": [min(min(members[c], rest[c]) for c in counted)],
        "class": members,
        "rest": rest,
        "class and rest": [min(pair) for pair in zip(members, rest, strict=True)],
    }[metric.carriers]
    groups, folds = table.group_count, len(table.fold_rows)
    single = groups == len(table)
    one = Support(carriers=0, groups=groups, folds=folds, word=word, single=single)
    return [replace(one, carriers=n, pooled=metric.pooled) for n in carriers]


def estimates(scored: Scored, metric: Metric, word: str) -> list[Estimate]:
    """A metric with its interval: one entry, or one a class for the metrics of a class."""
    support = supports(scored.table, metric, word)
    values = np.atleast_1d(scored.values[metric.name])
    resampled = scored.resampled[metric.name].reshape(-1, values.size)
    if metric.scale == "calibration":
        return [_calibration_estimate(scored, support[0])]
    return [
        estimate_with_interval(
            float(values[column]),
            resampled[:, column],
            scale=metric.scale,
            support=support[column],
            absent=metric.undefined,
        )
        for column in range(values.size)
    ]


def _calibration_estimate(scored: Scored, support: Support) -> Estimate:
    """Upper end as for any value; lower end freed of what chance adds."""
    plain = estimate_with_interval(
        float(scored.values["calibration_error"]),
        scored.resampled["calibration_error"],
        scale="real",
        support=support,
    )
    if plain.high is None:
        return plain
    low = lower_calibration_bound(scored.values[GAPS], scored.resampled[GAPS], level=LEVEL)
    return Estimate(estimate=plain.estimate, low=low, high=min(1.0, plain.high))
