"""95 % intervals from cluster resamples, or the reason why there is none.

The bootstrap gives the standard error; the interval is symmetric on the scale on which the metric
is nearly normal (logit for values in [0, 1], logarithm for losses) with Student's t quantile. Where
every group is one image, nothing but the value itself decides the error of a share, so shares have
Wilson's interval (1927, JASA 22:209) with the number of images that the standard error amounts to,
and other values in [0, 1] the normal quantile. ``benchmarks/coverage.py`` shows why: with 40 groups
of one image and a true accuracy of .98 the percentile interval holds the truth 6 times in 10, this
one more than 9.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy import stats

from medistill.core.counting import plural
from medistill.evaluate.arrays import Floats

LEVEL = 0.95
FEWEST_GROUPS = 10
MOST_UNDEFINED = 0.05
NORMAL = float(stats.norm.ppf((1 + LEVEL) / 2))

#: ``share`` of images, other values in [0, 1], values from 0, differences of values in [0, 1], and
#: any number.
Scale = Literal["share", "unit", "positive", "difference", "real"]


@dataclass(frozen=True, kw_only=True)
class Support:
    """How much evidence an interval rests on.

    Attributes:
        carriers: number of groups that carry the information (see ``Metric.carriers``).
        groups: number of all groups.
        folds: number of folds within which groups were drawn.
        word: what a group is called.
        single: whether every group is one image.
        pooled: whether the value is of all folds at once, and not their mean.
    """

    carriers: int
    groups: int
    folds: int
    word: str
    single: bool = False
    pooled: bool = False


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval; what is missing is None, and ``reason`` says why.

    Attributes:
        estimate: value on the images as they are.
        low: lower end of the interval.
        high: upper end of the interval.
        reason: why a value or an interval is missing, as a clause.
        undefined_resamples: resamples in which the metric did not exist, of all drawn.
    """

    estimate: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    undefined_resamples: int = 0

    def to_json(self) -> dict[str, float | int | str | None]:
        """The attributes by name."""
        return asdict(self)


def estimate_with_interval(
    value: float,
    resampled: Floats,
    *,
    scale: Scale,
    support: Support,
    absent: str = "a class is absent",
) -> Estimate:
    """A value and its interval from R resampled values.

    Args:
        value: on the images as they are, NaN where undefined.
        resampled: shape (R,), NaN where a resample leaves the metric undefined.
        scale: range of the metric.
        support: groups behind it.
        absent: why the value may be undefined, as a clause.
    """
    undefined = int(np.isnan(resampled).sum())
    if np.isnan(value):
        reason = absent + (", in a fold" if support.folds > 1 and not support.pooled else "")
        return Estimate(estimate=None, reason=reason, undefined_resamples=undefined)
    too_little = _too_little(undefined / resampled.size, support)
    if too_little is not None:
        return Estimate(estimate=value, reason=too_little, undefined_resamples=undefined)
    error = standard_error(resampled, support)
    if error <= 1e-12:
        return _without_spread(value, undefined, scale, support)
    low, high = _ends(value, error, scale, support)
    return Estimate(estimate=value, low=low, high=high, undefined_resamples=undefined)


def p_of_no_difference(value: float, resampled: Floats, support: Support) -> float:
    """Two-sided p-value of a difference of values in [0, 1] that has an interval.

    It is below .05 where the interval leaves out 0, and 1 less the level of the interval that would
    end there. Arguments as of ``estimate_with_interval``.
    """
    error = standard_error(resampled, support)
    if error > 1e-12:
        return float(2 * stats.t.sf(abs(value) / error, degrees(support)))
    # The bound of ``_without_spread`` ends at 0 where this share of groups differ by the value.
    return min(1.0, 2 * (1 / (1 + abs(value))) ** support.carriers)


def standard_error(resampled: Floats, support: Support) -> float:
    """Standard deviation over resamples, freed of the bootstrap's bias.

    Drawing n of n groups within a stratum understates a variance by (n - 1) / n (Rao and Wu 1988,
    JASA 83:231), hence G / (G - folds).
    """
    spread = float(np.nanstd(resampled, ddof=1))
    return spread * float(np.sqrt(support.groups / (support.groups - support.folds)))


def wilson(value: float, images: float) -> tuple[float, float]:
    """Wilson's score interval of a share of so many images, which need not be a whole number."""
    square = NORMAL**2 / images
    centre = (value + square / 2) / (1 + square)
    reach = float(np.sqrt(square * value * (1 - value) + square**2 / 4)) / (1 + square)
    return centre - reach, centre + reach


def degrees(support: Support) -> float:
    """Degrees of freedom of that standard error."""
    return max(1.0, support.carriers - support.folds)


def t_quantile(freedom: float) -> float:
    """Student's t that leaves half of 5 % above it."""
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def _too_little(undefined_share: float, support: Support) -> str | None:
    if support.carriers < FEWEST_GROUPS or support.groups <= support.folds:
        return f"too few groups ({plural(support.word, support.carriers)})"
    if undefined_share > MOST_UNDEFINED:
        return f"too few groups (undefined in {undefined_share:.0%} of resamples)"
    return None


def _without_spread(value: float, undefined: int, scale: Scale, support: Support) -> Estimate:
    """All resamples agree: a perfect or a failed model, identical models, constant predictions."""
    surprise = ((1 - LEVEL) / 2) ** (1 / support.carriers)
    bound = None
    if scale in ("unit", "share") and value in (0.0, 1.0):
        # No error among n groups: exact binomial bound on groups (Clopper and Pearson 1934).
        bound = (surprise, 1.0) if value == 1.0 else (0.0, 1 - surprise)
    if scale == "difference" and value != 0:
        # n groups that all differ by as much: the same bound on the share of such groups; the
        # others may differ by anything from -1 to 1.
        bound = surprise * value - (1 - surprise), surprise * value + (1 - surprise)
    if bound is not None:
        low, high = bound
        return Estimate(estimate=value, low=low, high=high, undefined_resamples=undefined)
    reason = "every resample gives the same value"
    return Estimate(estimate=value, reason=reason, undefined_resamples=undefined)


def _ends(value: float, error: float, scale: Scale, support: Support) -> tuple[float, float]:
    inside = scale in ("unit", "share") and 0 < value < 1
    if inside and support.single and scale == "share":
        bias = (support.groups - support.folds) / support.groups
        return wilson(value, value * (1 - value) / (error**2 * bias))
    quantile = NORMAL if inside and support.single else t_quantile(degrees(support))
    reach = quantile * error
    if inside:
        centre, reach = np.log(value / (1 - value)), reach / (value * (1 - value))
        low, high = 1 / (1 + np.exp(-np.array([centre - reach, centre + reach])))
        return float(low), float(high)
    if scale == "positive" and value > 0:
        return float(value * np.exp(-reach / value)), float(value * np.exp(reach / value))
    return value - reach, value + reach
