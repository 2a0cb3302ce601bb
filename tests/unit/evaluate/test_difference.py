from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.difference import (
    classical_tests,
    difference_over_seeds,
    differences,
)
from medistill.evaluate.metrics import METRICS
from medistill.evaluate.scored import score


@pytest.fixture
def scored(simulate):
    def make(*, skills=(2.0, 0.5), images=200, groups=50, **rest):
        tables = [
            simulate(images=images, groups=groups, skill=skill, model=number, **rest)
            for number, skill in enumerate(skills)
        ]
        return score(tables, draw_resamples(tables[0], resamples=400, seed=0))

    return make


def both(scored, **rest):
    first, second = scored(**rest)
    return differences(first, second, word="patient", flips=500, seed=0)


def test_a_clearly_better_model_is_better_in_every_metric_but_calibration(scored):
    found = both(scored)
    for name, entries in found.items():
        if name != "calibration_error":
            assert {entry.verdict for entry in entries} == {"better"}, name
    lower = [name for name in found if METRICS[name].better == "lower"]
    assert all(found[name][0].estimate < 0 for name in lower if name != "calibration_error")


def test_the_other_way_round_is_worse_with_the_interval_mirrored(scored):
    forth, back = both(scored)["auroc"][0], both(scored, skills=(0.5, 2.0))["auroc"][0]
    assert (forth.verdict, back.verdict) == ("better", "worse")
    first, second = scored()
    back = differences(second, first, word="patient", flips=500, seed=0)["auroc"][0]
    assert back.low == pytest.approx(-forth.high)
    assert back.estimate == pytest.approx(-forth.estimate)


def test_equal_models_are_undecided(scored):
    assert both(scored, skills=(1.0, 1.0))["auroc"][0].verdict == "undecided"


def test_the_same_model_twice_has_no_interval_and_p_one(scored):
    first, _ = scored()
    found = differences(first, first, word="patient", flips=100, seed=0)["accuracy"][0]
    assert (found.estimate, found.low, found.p, found.verdict) == (0, None, 1.0, "unknown")
    assert found.reason == "every resample gives the same value"


def test_a_class_lost_in_every_group_is_a_verdict_and_no_missing_interval(scored):
    first, second = scored(images=80, groups=80)
    labels = first.table.labels
    second.table.probabilities[:] = np.eye(2)[labels]
    first.table.probabilities[:] = np.eye(2)[0]
    first, second = score(
        [first.table, second.table], draw_resamples(first.table, resamples=200, seed=0)
    )
    found = differences(first, second, word="patient", flips=2000, seed=0)
    balanced, sensitivity = found["balanced_accuracy"][0], found["sensitivity"][1]
    # Half of the 80 are of the class: 40 of 40 patients.
    surely = stats.binomtest(40, 40).proportion_ci(0.95, method="exact").low
    assert (balanced.estimate, balanced.verdict) == (-0.5, "worse")
    assert balanced.high == pytest.approx(1 - 1.5 * surely)
    assert (sensitivity.estimate, sensitivity.low, sensitivity.verdict) == (-1.0, -1.0, "worse")
    assert sensitivity.high == pytest.approx(1 - 2 * surely)


def test_interval_of_single_images_is_the_paired_t_interval(scored):
    first, second = scored(images=300, groups=300)
    found = differences(first, second, word="image", flips=100, seed=0)["accuracy"][0]
    hits = [s.table.probabilities.argmax(1) == s.table.labels for s in (first, second)]
    gained = hits[0] * 1.0 - hits[1]
    reach = stats.t.ppf(0.975, 299) * gained.std(ddof=1) / np.sqrt(300)
    assert found.estimate == pytest.approx(gained.mean())
    assert found.high - found.estimate == pytest.approx(reach, rel=0.1)


def test_metrics_that_are_no_sums_say_why_they_have_no_p(scored):
    found = both(scored)
    assert found["average_precision"][0].p is None
    assert "interval only" in found["average_precision"][0].p_reason
    assert found["auroc"][0].p_reason is None
    assert found["auroc"][0].interval_p is None
    each = found["average_precision"][0]
    assert (each.low > 0) == (each.interval_p < 0.05)


def test_an_interval_without_zero_needs_a_small_p_as_well(scored):
    # Five groups of which all speak for the first model: sign flips cannot go below 1/16.
    first, second = scored(skills=(1.0, 1.0), images=60, groups=60)
    labels = first.table.labels
    first.table.probabilities[:] = np.eye(2)[labels]
    second.table.probabilities[:] = np.eye(2)[labels]
    second.table.probabilities[:5] = np.eye(2)[1 - labels[:5]]
    first, second = score(
        [first.table, second.table], draw_resamples(first.table, resamples=500, seed=0)
    )
    found = differences(first, second, word="image", flips=2000, seed=0)["accuracy"][0]
    assert found.low > 0
    assert found.p == pytest.approx(1 / 16, abs=0.02)
    assert found.verdict == "undecided"


def test_classical_tests_only_for_single_images(scored):
    first, second = scored()
    refused = classical_tests(first, second, "article")
    assert refused["mcnemar_p"] is None
    assert "several images belong to one article" in refused["reason"]
    first, second = scored(images=60, groups=60)
    allowed = classical_tests(first, second, "image")
    assert allowed["mcnemar_p"] < 0.05
    assert allowed["delong_p"] < 0.05
    assert allowed["reason"] is None
    three = classical_tests(*scored(images=60, groups=60, classes=3), "image")
    assert three["delong_p"] is None
    assert "two classes" in three["reason"]


def seeds(simulate, count, *, students=1.6, controls=1.0):
    tables = [
        simulate(images=200, groups=50, skill=skill, model=10 * role + number)
        for role, skill in ((1, students), (2, controls))
        for number in range(count)
    ]
    done = score(tables, draw_resamples(tables[0], resamples=400, seed=0))
    return done[:count], done[count:]


def test_five_seeds_answer_for_the_method(simulate):
    found = difference_over_seeds(*seeds(simulate, 5), METRICS["auroc"], "patient")
    assert (found.seeds, len(found.values), found.verdict) == (5, 5, "better")
    assert found.estimate == pytest.approx(np.mean(found.values))
    assert found.low < found.estimate < found.high


def test_fewer_seeds_do_not(simulate):
    found = difference_over_seeds(*seeds(simulate, 4), METRICS["auroc"], "patient")
    assert (found.low, found.verdict) == (None, "unknown")
    assert found.reason == "needs at least 5 training seeds, there are 4"
    assert found.estimate is not None


def test_seeds_that_all_lose_a_class_have_no_interval_for_seeds_never_seen(simulate):
    tables = [simulate(images=80, groups=80) for _ in range(10)]
    for number, table in enumerate(tables):
        table.probabilities[:] = np.eye(2)[table.labels if number > 4 else 0]
    done = score(tables, draw_resamples(tables[0], resamples=100, seed=0))
    found = difference_over_seeds(done[:5], done[5:], METRICS["balanced_accuracy"], "patient")
    assert (found.estimate, found.low, found.verdict) == (-0.5, None, "unknown")
    assert found.reason == "every resample gives the same value"


def test_interval_over_seeds_adds_both_variances(simulate):
    students, controls = seeds(simulate, 5)
    found = difference_over_seeds(students, controls, METRICS["accuracy"], "patient")
    pairs = zip(students, controls, strict=True)
    resampled = np.mean(
        [a.resampled["accuracy"] - b.resampled["accuracy"] for a, b in pairs], axis=0
    )
    over_groups = resampled.var(ddof=1) * 50 / 49
    over_seeds = np.var(found.values, ddof=1) / 5
    freedom = (over_groups + over_seeds) ** 2 / (over_groups**2 / 49 + over_seeds**2 / 4)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(over_groups + over_seeds)
    assert found.high == pytest.approx(found.estimate + reach)
    assert found.low == pytest.approx(found.estimate - reach)
