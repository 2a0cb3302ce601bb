"""Two models on the same images: difference, interval and p-value; over seeds as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.independent import delong_p, images_are_groups, mcnemar_p
from medistill.evaluate.intervals import (
    Estimate,
    Scale,
    Support,
    estimate_with_interval,
    p_of_no_difference,
    standard_error,
    t_quantile,
)
from medistill.evaluate.mask_paired import mask_p_values
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.metrics import Metric
from medistill.evaluate.paired import sign_flip_p, swap_scores
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import Scored, supports

FEWEST_SEEDS = 5
SIGNIFICANCE = 0.05
NO_P = "not a sum over groups, so it has an interval only"


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """First minus second of one metric.

    Attributes:
        p: two-sided, by sign flips of groups; None where the metric does not allow it.
        p_reason: why there is none.
        interval_p: two-sided, of the interval by Student's t, where the metric allows no ``p``.
        verdict: of the first model, seen from the second: ``better`` or ``worse`` if the interval
            leaves out 0 and p, where there is one, is below .05; ``undecided`` if not; ``unknown``
            without an interval.
    """

    p: float | None = None
    p_reason: str | None = None
    interval_p: float | None = None
    verdict: str = "unknown"


@dataclass(frozen=True, kw_only=True)
class SeedsDifference(Estimate):
    """First minus second, averaged over training seeds, for groups and seeds never seen.

    Attributes:
        seeds: number of seeds.
        values: difference of each seed on the images as they are, None where undefined.
        verdict: as in ``Difference``.
    """

    seeds: int
    values: tuple[float | None, ...]
    verdict: str = "unknown"

    def to_json(self) -> dict[str, object]:  # type: ignore[override]
        """The attributes by name, lists for tuples."""
        return {**asdict(self), "values": list(self.values)}


def differences(
    first: Scored, second: Scored, *, word: str, flips: int, seed: int
) -> dict[str, list[Difference]]:
    """Every metric's difference: one entry, or one a class for the metrics of a class."""
    p_values = _p_values(first, second, flips=flips, seed=seed)
    return {
        metric.name: [
            _difference(metric, estimate, p, pair)
            for estimate, p, pair in zip(
                paired_estimates(first, second, metric, word),
                p_values[metric.name],
                _pairs(first, second, metric, word),
                strict=True,
            )
        ]
        for metric in first.table.metrics.values()
    }


def classical_tests(first: Scored, second: Scored, word: str) -> dict[str, float | str | None]:
    """McNemar's and DeLong's p-values where each group has one image, else why not."""
    if not isinstance(first.table, Predictions) or not isinstance(second.table, Predictions):
        return {"mcnemar_p": None, "delong_p": None, "reason": "they are for one label an image"}
    if not images_are_groups(first.table):
        reason = f"several images belong to one {word}, and these tests take them as independent"
        return {"mcnemar_p": None, "delong_p": None, "reason": reason}
    delong = delong_p(first.table, second.table)
    undone = None if delong is not None else "DeLong needs two classes of two images or more"
    return {"mcnemar_p": mcnemar_p(first.table, second.table), "delong_p": delong, "reason": undone}


def difference_over_seeds(
    firsts: Sequence[Scored], seconds: Sequence[Scored], metric: Metric, word: str
) -> SeedsDifference:
    """Mean over seeds of the paired difference, with groups and seeds both as chance.

    Variance = bootstrap variance over groups of the mean over seeds + variance between seeds / S,
    degrees of freedom after Satterthwaite (1946, Biometrics Bulletin 2:110). Drawing 5 seeds with
    replacement instead would hold the truth 85 to 95 times in 100 (benchmarks/coverage.py).

    Args:
        firsts: one model a seed.
        seconds: the other model, same seeds in the same order.
        metric: an overall metric.
        word: what a group is called.
    """
    pairs = list(zip(firsts, seconds, strict=False))
    name = metric.name
    values = np.array([float(a.values[name] - b.values[name]) for a, b in pairs])
    resampled = np.mean([a.resampled[name] - b.resampled[name] for a, b in pairs], axis=0)
    support = supports(firsts[0].table, metric, word)[0]
    plain = estimate_with_interval(
        float(values.mean()),
        resampled,
        scale="real",  # the bound for no spread is on groups and says nothing of other seeds
        support=support,
        absent=metric.undefined,
    )
    shown = tuple(None if np.isnan(value) else value for value in values.tolist())
    result = SeedsDifference(**asdict(plain), seeds=len(pairs), values=shown)
    if len(pairs) < FEWEST_SEEDS:
        reason = f"needs at least {FEWEST_SEEDS} training seeds, there are {len(pairs)}"
        return replace(result, low=None, high=None, reason=reason)
    if plain.low is None or plain.estimate is None:
        return result
    groups_variance = standard_error(resampled, support) ** 2
    seeds_variance = float(values.var(ddof=1)) / len(pairs)
    freedom = (groups_variance + seeds_variance) ** 2 / (
        groups_variance**2 / (support.carriers - support.folds)
        + seeds_variance**2 / (len(pairs) - 1)
    )
    reach = t_quantile(freedom) * float(np.sqrt(groups_variance + seeds_variance))
    low, high = plain.estimate - reach, plain.estimate + reach
    return replace(result, low=low, high=high, verdict=_verdict(metric, low, high, None))


def paired_estimates(first: Scored, second: Scored, metric: Metric, word: str) -> list[Estimate]:
    """First minus second of a metric with its interval: one entry, or one a class."""
    scale: Scale = "real" if metric.scale == "positive" else "difference"
    return [
        within_unit(
            estimate_with_interval(
                pair.value,
                pair.resampled,
                scale=scale,
                support=pair.support,
                absent=metric.undefined,
            ),
            metric,
        )
        for pair in _pairs(first, second, metric, word)
    ]


class _Pair(NamedTuple):
    """First minus second of one value, in R resamples, and the evidence behind it."""

    value: float
    resampled: Floats
    support: Support


def _pairs(first: Scored, second: Scored, metric: Metric, word: str) -> list[_Pair]:
    name = metric.name
    values = np.atleast_1d(first.values[name] - second.values[name])
    resampled = (first.resampled[name] - second.resampled[name]).reshape(-1, values.size)
    support = supports(first.table, metric, word)
    return [
        _Pair(float(values[column]), resampled[:, column], support[column])
        for column in range(values.size)
    ]


def within_unit(found: Estimate, metric: Metric) -> Estimate:
    """The ends cut to [-1, 1], between which a difference of values in [0, 1] lies."""
    if metric.scale == "positive" or found.low is None or found.high is None:
        return found
    return replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def _p_values(
    first: Scored, second: Scored, *, flips: int, seed: int
) -> dict[str, list[float | None]]:
    """P-values of all metrics and classes under the same flips, in one product."""
    if isinstance(first.table, MaskScores) and isinstance(second.table, MaskScores):
        return mask_p_values(first.table, second.table, flips=flips, seed=seed)
    columns: list[Floats] = []
    owners: list[str] = []
    for name in first.table.metrics:
        scores = swap_scores(name, first.table, second.table)
        if scores is not None:
            wide = scores.reshape(len(scores), -1)
            columns.append(wide)
            owners += [name] * wide.shape[1]
    p_values = sign_flip_p(np.concatenate(columns, axis=1), flips=flips, seed=seed)
    result: dict[str, list[float | None]] = {
        name: [None] * np.size(first.values[name])
        for name in first.table.metrics
        if name not in owners
    }
    for name, p in zip(owners, p_values.tolist(), strict=True):
        result.setdefault(name, []).append(None if np.isnan(p) else p)
    return result


def _difference(metric: Metric, estimate: Estimate, p: float | None, pair: _Pair) -> Difference:
    bare = p is None and estimate.estimate is not None
    return Difference(
        **asdict(estimate),
        p=p,
        p_reason=NO_P if bare else None,
        interval_p=p_of_no_difference(*pair) if bare and estimate.low is not None else None,
        verdict=_verdict(metric, estimate.low, estimate.high, p),
    )


def _verdict(metric: Metric, low: float | None, high: float | None, p: float | None) -> str:
    if low is None or high is None:
        return "unknown"
    if low <= 0 <= high or (p is not None and p >= SIGNIFICANCE):
        return "undecided"
    return "better" if (low > 0) == (metric.better == "higher") else "worse"
