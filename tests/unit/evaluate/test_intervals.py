from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from medistill.evaluate.intervals import (
    Support,
    estimate_with_interval,
    p_of_no_difference,
    standard_error,
)

FORTY = Support(carriers=40, groups=40, folds=1, word="patient")


def spread(centre: float, width: float) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=2000)
    return centre + width * (values - values.mean()) / values.std(ddof=1)


def test_difference_is_students_t_with_the_freed_error():
    found = estimate_with_interval(0.1, spread(0.1, 0.02), scale="difference", support=FORTY)
    reach = stats.t.ppf(0.975, 39) * 0.02 * np.sqrt(40 / 39)
    assert (found.low, found.high) == (pytest.approx(0.1 - reach), pytest.approx(0.1 + reach))


def test_unit_interval_is_symmetric_in_logits_and_stays_inside():
    found = estimate_with_interval(0.98, spread(0.98, 0.015), scale="unit", support=FORTY)
    logit = np.log(
        np.array([found.low, 0.98, found.high]) / (1 - np.array([found.low, 0.98, found.high]))
    )
    assert logit[1] - logit[0] == pytest.approx(logit[2] - logit[1])
    assert logit[2] - logit[1] == pytest.approx(
        stats.t.ppf(0.975, 39) * 0.015 * np.sqrt(40 / 39) / (0.98 * 0.02)
    )
    assert found.high < 1


def test_shares_of_single_images_have_wilsons_interval():
    single = Support(carriers=50, groups=50, folds=1, word="image", single=True)
    error = np.sqrt(0.9 * 0.1 / 50)
    found = estimate_with_interval(0.9, spread(0.9, error), scale="share", support=single)
    expected = stats.binomtest(45, 50).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    other = proportion_confint(45, 50, method="wilson")
    assert (found.low, found.high) == pytest.approx(other)


def test_f1_of_single_images_has_wilsons_interval_of_the_share_whose_odds_it_doubles():
    hits, errors = 27, 23  # of images that are of the class or called so
    plain = stats.binomtest(hits, hits + errors).proportion_ci(0.95, method="wilson")
    value, share = 2 * hits / (2 * hits + errors), hits / (hits + errors)
    # The slope of F1 = 2 J / (1 + J) carries the binomial error of J over.
    error = 2 / (1 + share) ** 2 * np.sqrt(share * (1 - share) / (hits + errors))
    single = Support(carriers=50, groups=80, folds=1, word="image", single=True)
    found = estimate_with_interval(value, spread(value, error), scale="share", support=single)
    expected = [2 * end / (1 + end) for end in (plain.low, plain.high)]
    assert (found.low, found.high) == pytest.approx(expected)


def test_other_values_of_single_images_have_the_normal_quantile():
    single = Support(carriers=50, groups=50, folds=1, word="image", single=True)
    found = estimate_with_interval(0.8, spread(0.8, 0.05), scale="unit", support=single)
    reach = stats.norm.ppf(0.975) * 0.05 * np.sqrt(50 / 49) / (0.8 * 0.2)
    logits = np.log(np.array([found.low, found.high]) / (1 - np.array([found.low, found.high])))
    assert np.ptp(logits) == pytest.approx(2 * reach)


def test_positive_interval_is_symmetric_in_logarithms():
    found = estimate_with_interval(0.3, spread(0.3, 0.1), scale="positive", support=FORTY)
    assert found.low * found.high == pytest.approx(0.09)
    assert found.low > 0


def test_folds_cost_degrees_of_freedom_and_free_more_bias():
    folds = Support(carriers=40, groups=40, folds=5, word="patient")
    assert standard_error(spread(0, 1.0), folds) == pytest.approx(np.sqrt(40 / 35))
    wide = estimate_with_interval(0.0, spread(0, 1.0), scale="difference", support=folds)
    assert wide.high == pytest.approx(stats.t.ppf(0.975, 35) * np.sqrt(40 / 35))


def test_nothing_wrong_is_bounded_by_the_number_of_groups():
    found = estimate_with_interval(1.0, np.ones(100), scale="unit", support=FORTY)
    # Clopper and Pearson: 40 of 40 successes.
    expected = stats.binomtest(40, 40).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == (pytest.approx(expected.low), 1.0)
    failed = estimate_with_interval(0.0, np.zeros(100), scale="unit", support=FORTY)
    assert (failed.low, failed.high) == (0.0, pytest.approx(1 - expected.low))


@pytest.mark.parametrize("groups", [10, 40, 500])
@pytest.mark.parametrize("value", [-1.0, -0.5, 0.05, 1.0])
def test_a_difference_that_all_groups_share_is_bounded_by_their_number(groups, value):
    support = Support(carriers=groups, groups=groups, folds=1, word="patient")
    found = estimate_with_interval(value, np.full(99, value), scale="difference", support=support)
    # Clopper and Pearson: at least so many of all groups differ by the value, and the others by -1
    # (for the lower end) or 1.
    surely = stats.binomtest(groups, groups).proportion_ci(0.95, method="exact").low
    assert found.low == pytest.approx(surely * value - (1 - surely))
    assert found.high == pytest.approx(surely * value + (1 - surely))
    assert found.reason is None
    # Where it misses the truth, so many groups all alike are drawn at most 2.5 times in 100.
    for share in np.linspace(0.01, 1, 500):
        for rest in (-1.0, 1.0):
            truth = share * value + (1 - share) * rest
            held = found.low - 1e-9 <= truth <= found.high + 1e-9
            assert held or stats.binom.pmf(groups, groups, share) <= 0.025


def test_the_p_value_of_an_interval_is_that_of_students_t_and_of_the_bound():
    random = np.random.default_rng(0)
    gained = random.normal(0.1, 0.5, size=400)
    support = Support(carriers=400, groups=400, folds=1, word="patient")
    means = gained[random.integers(400, size=(4000, 400))].mean(axis=1)
    expected = stats.ttest_1samp(gained, 0).pvalue
    assert p_of_no_difference(gained.mean(), means, support) == pytest.approx(expected, rel=0.2)
    # At the edge of the interval it is one less the level.
    reach = stats.t.ppf(0.975, 39) * 0.02 * np.sqrt(40 / 39)
    assert p_of_no_difference(reach, spread(reach, 0.02), FORTY) == pytest.approx(0.05)
    # Without spread: all of 40 groups alike, if only so many of all are that the mean is 0.
    alike = stats.binom.pmf(40, 40, 1 / 1.25)
    assert p_of_no_difference(-0.25, np.full(9, -0.25), FORTY) == pytest.approx(2 * alike)
    assert p_of_no_difference(0.0, np.zeros(9), FORTY) == 1.0


def test_no_difference_at_all_and_differences_without_limits_have_no_bound():
    for value, scale in ((0.0, "difference"), (-3.0, "real")):
        found = estimate_with_interval(value, np.full(99, value), scale=scale, support=FORTY)
        assert (found.low, found.reason) == (None, "every resample gives the same value")


def test_no_spread_has_no_interval():
    found = estimate_with_interval(0.5, np.full(100, 0.5), scale="unit", support=FORTY)
    assert (found.estimate, found.low, found.reason) == (
        0.5,
        None,
        "every resample gives the same value",
    )


@pytest.mark.parametrize("carriers", [9, 2])
def test_too_few_groups(carriers):
    few = Support(carriers=carriers, groups=40, folds=1, word="study")
    found = estimate_with_interval(0.9, spread(0.9, 0.01), scale="unit", support=few)
    assert found.low is None
    assert found.high is None
    assert found.reason == f"too few groups ({carriers} studies)"
    assert found.estimate == 0.9


def test_undefined_resamples_are_counted_and_limited():
    values = spread(0.9, 0.01)
    values[:100] = np.nan
    found = estimate_with_interval(0.9, values, scale="unit", support=FORTY)
    assert found.undefined_resamples == 100
    assert found.low is not None
    values[:101] = np.nan
    refused = estimate_with_interval(0.9, values, scale="unit", support=FORTY)
    assert refused.low is None
    assert refused.reason == "too few groups (undefined in 5% of resamples)"


def test_undefined_value_says_why():
    found = estimate_with_interval(float("nan"), np.full(9, np.nan), scale="unit", support=FORTY)
    assert (found.estimate, found.low, found.reason) == (None, None, "a class is absent")
    assert found.undefined_resamples == 9
    folds = replace(FORTY, folds=5)
    absent = {"scale": "unit", "resampled": np.full(9, np.nan)}
    averaged = estimate_with_interval(float("nan"), support=folds, **absent)
    assert averaged.reason == "a class is absent, in a fold"
    pooled = estimate_with_interval(float("nan"), support=replace(folds, pooled=True), **absent)
    assert pooled.reason == "a class is absent"
