from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import proportion_confint

from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.metrics import METRICS
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import estimates, score, supports


def test_every_metric_has_an_estimate_inside_its_interval(simulate):
    table = simulate(images=240, groups=60, classes=3)
    scored = score([table], draw_resamples(table, resamples=300, seed=0))[0]
    for metric in METRICS.values():
        found = estimates(scored, metric, "patient")
        assert len(found) == (3 if metric.per_class else 1)
        for entry in found:
            assert entry.low <= entry.estimate <= entry.high, metric.name


def test_support_is_that_of_the_rarest_class(simulate):
    table = simulate(images=120, groups=30, classes=3)
    table.labels[table.labels == 2] = 0
    table.labels[table.group_index < 4] = 2
    members = [table.groups_with(table.labels == c) for c in range(3)]
    assert members[2] == 4

    def carriers(name):
        return [s.carriers for s in supports(table, METRICS[name], "patient")]

    assert carriers("accuracy") == [30]
    assert carriers("auroc") == [4]
    assert carriers("sensitivity") == members
    assert carriers("specificity") == [table.groups_with(table.labels != c) for c in range(3)]
    scored = score([table], draw_resamples(table, resamples=50, seed=0))[0]
    assert estimates(scored, METRICS["auroc"], "patient")[0].reason == "too few groups (4 patients)"
    assert estimates(scored, METRICS["accuracy"], "patient")[0].reason is None


def test_f1_of_single_images_has_wilsons_interval(simulate):
    table = simulate(images=60, groups=60)
    scored = score([table], draw_resamples(table, resamples=300, seed=0))[0]
    found = estimates(scored, METRICS["f1"], "image")[1]
    value = f1_score(table.labels, table.probabilities.argmax(axis=1))
    images = value * (1 - value) / np.var(scored.resampled["f1"][:, 1], ddof=1)
    ends = proportion_confint(value * images, images, method="wilson")
    assert (found.low, found.high) == pytest.approx(ends)


def test_f1_is_of_all_folds_at_once_though_one_has_nothing_of_the_class(simulate):
    table = simulate(images=200, groups=40, folds=5)
    first = table.fold_rows[0]
    table.labels[first], table.probabilities[first] = 0, [0.9, 0.1]
    scored = score([table], draw_resamples(table, resamples=300, seed=0))[0]
    found = estimates(scored, METRICS["f1"], "patient")[1]
    expected = f1_score(table.labels, table.probabilities.argmax(axis=1))
    assert found.estimate == pytest.approx(expected)
    assert found.low < found.estimate < found.high
    # A mean over folds does not exist there.
    missing = estimates(scored, METRICS["sensitivity"], "patient")[1]
    assert missing.reason == "a class is absent, in a fold"


def test_constant_predictions_are_handled(simulate):
    table = simulate(images=60, groups=60)
    table.probabilities[:] = [0.6, 0.4]
    scored = score([table], draw_resamples(table, resamples=100, seed=0))[0]
    auroc = estimates(scored, METRICS["auroc"], "image")[0]
    assert (auroc.estimate, auroc.low) == (0.5, None)
    assert auroc.reason == "every resample gives the same value"
    assert estimates(scored, METRICS["accuracy"], "image")[0].low is not None


def test_calibration_interval_of_a_calibrated_model_reaches_zero():
    random = np.random.default_rng(0)
    stated = random.random(300)
    table = Predictions(
        names=[str(i) for i in range(300)],
        groups=[str(i) for i in range(300)],
        labels=(random.random(300) < stated) * 1,
        probabilities=np.stack([1 - stated, stated], axis=1),
    )
    scored = score([table], draw_resamples(table, resamples=300, seed=0))[0]
    found = estimates(scored, METRICS["calibration_error"], "image")[0]
    assert found.low == 0
    assert found.estimate == pytest.approx(scored.noise_floor, rel=0.6)


def test_one_metric_alone_is_what_it_is_among_all(simulate):
    tables = [simulate(classes=3, model=model) for model in (0, 1)]
    drawn = draw_resamples(tables[0], resamples=30, seed=0)
    for whole, alone in zip(score(tables, drawn), score(tables, drawn, only=["f1"]), strict=True):
        assert list(alone.values) == list(alone.resampled) == ["f1"]
        np.testing.assert_array_equal(alone.resampled["f1"], whole.resampled["f1"])
