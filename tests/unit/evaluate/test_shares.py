from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medistill.evaluate.shares import clusters, mean, share


def test_one_image_a_group_has_the_binomial_error() -> None:
    held = np.arange(400) % 4 == 0
    found = share(
        held, None, clusters([str(n) for n in range(400)], word="image", resamples=20_000)
    )
    assert found.estimate == 0.25
    low, high = stats.binomtest(100, 400).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.003)


def test_copies_of_an_image_add_no_certainty() -> None:
    groups = [str(n) for n in range(60)]
    held = np.arange(60) % 3 == 0
    alone = share(held, None, clusters(groups, word="patient"))
    copied = share(
        np.repeat(held, 5), None, clusters(np.repeat(groups, 5).tolist(), word="patient")
    )
    assert copied.estimate == alone.estimate
    assert None not in (alone.low, alone.high, copied.low, copied.high)
    assert copied.high - copied.low >= alone.high - alone.low
    assert copied.low == pytest.approx(alone.low, abs=0.01)


def test_only_the_asked_images_count_and_unknown_values_do_not() -> None:
    groups = [str(n) for n in range(40)]
    values = np.where(np.arange(40) < 20, 0.5, np.nan)
    among = np.arange(40) % 2 == 0
    found = mean(values, among, clusters(groups, word="patient"), scale="difference")
    assert found.estimate == 0.5
    # Ten groups, all the same value: surely .025^(1/10) = .6915 of all have it.
    assert found.low == pytest.approx(0.5 * 0.6915 - 0.3085, abs=1e-4)
    assert found.high == pytest.approx(0.5 * 0.6915 + 0.3085, abs=1e-4)


def test_nothing_to_count_says_so_and_few_groups_have_no_interval() -> None:
    drawn = clusters(["a", "b"] * 20, word="study")
    assert share(np.ones(40, bool), np.zeros(40, bool), drawn).reason == "there is no such image"
    few = share(np.arange(40) < 30, None, drawn)
    assert few.low is None
    assert few.reason == "too few groups (2 studies)"
