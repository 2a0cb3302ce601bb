from __future__ import annotations

import time

import numpy as np
import pytest

from medistill.evaluate import bootstrap
from medistill.evaluate.bootstrap import Statistic, draw_resamples, replicate
from medistill.evaluate.metrics import accuracy, auroc, sensitivity


def test_draws_as_many_groups_as_each_fold_has(simulate):
    table = simulate(groups=30, folds=3)
    drawn = draw_resamples(table, resamples=50, seed=1)
    assert drawn.counts.shape == (50, 30)
    for rows in table.fold_rows:
        own = np.unique(table.group_index[rows])
        assert (drawn.counts[:, own].sum(axis=1) == own.size).all()


def test_images_of_a_group_stay_together(simulate):
    table = simulate()
    weights = np.concatenate(list(draw_resamples(table, resamples=20, seed=1).blocks()))
    for group in range(table.group_count):
        columns = weights[:, table.group_index == group]
        assert (columns == columns[:, :1]).all()


def test_draws_depend_on_the_seed_alone(simulate):
    table = simulate()
    first = draw_resamples(table, resamples=20, seed=1).counts
    np.testing.assert_array_equal(first, draw_resamples(table, resamples=20, seed=1).counts)
    assert (first != draw_resamples(table, resamples=20, seed=2).counts).any()


def test_mean_and_variance_of_draws_are_multinomial(simulate):
    counts = draw_resamples(simulate(groups=30), resamples=4000, seed=0).counts
    assert counts.mean() == pytest.approx(1)
    assert counts.var(axis=0).mean() == pytest.approx(1 - 1 / 30, rel=0.02)


def test_statistic_is_averaged_over_folds_or_pooled(simulate):
    table = simulate(images=120, groups=30, folds=3, skill=1.0)
    by_fold = [auroc(table.labels[r], table.probabilities[r]) for r in table.fold_rows]
    assert Statistic(function=auroc).of(table) == pytest.approx(np.mean(by_fold))
    pooled = auroc(table.labels, table.probabilities)
    assert Statistic(function=auroc, pooled=True).of(table) == pytest.approx(pooled)
    assert pooled != pytest.approx(np.mean(by_fold), abs=1e-4)


def test_blocks_do_not_change_the_result(simulate, monkeypatch):
    table = simulate(classes=3)
    drawn = draw_resamples(table, resamples=33, seed=0)
    statistics = {"a": Statistic(function=accuracy), "s": Statistic(function=sensitivity)}
    whole = replicate([table], statistics, drawn)[0]
    monkeypatch.setattr(bootstrap, "CELLS_IN_MEMORY", 5 * len(table))
    seen = []
    parts = replicate([table], statistics, drawn, progress=seen.append)[0]
    np.testing.assert_array_equal(whole["a"], parts["a"])
    np.testing.assert_allclose(whole["s"], parts["s"])
    assert whole["s"].shape == (33, 3)
    assert sum(seen) == 33
    assert max(seen) == 5


def test_standard_error_of_a_mean_is_the_clustered_one(simulate):
    table = simulate(images=600, groups=60)
    drawn = draw_resamples(table, resamples=4000, seed=0)
    resampled = replicate([table], {"a": Statistic(function=accuracy)}, drawn)[0]["a"]
    hits = table.probabilities.argmax(1) == table.labels
    means = [hits[table.group_index == g].mean() for g in range(60)]
    assert resampled.std() == pytest.approx(np.std(means) / np.sqrt(60), rel=0.05)


def test_auroc_of_2000_resamples_of_2000_images_is_quick(simulate):
    table = simulate(images=2000, groups=400)
    drawn = draw_resamples(table, resamples=2000, seed=0)
    start = time.process_time()
    replicate([table], {"auroc": Statistic(function=auroc)}, drawn)
    assert time.process_time() - start < 3
