from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.decision_curve import THRESHOLDS, net_benefit, treat_all, useful_range


def test_net_benefit_by_hand() -> None:
    chances = np.array([0.9, 0.6, 0.3, 0.1])
    positive = np.array([True, False, True, False])
    # at .5: one hit, one false alarm: (1 - 1) / 4; at .2: two hits, one: (2 - .25) / 4
    found = net_benefit(chances, positive, np.array([0.5, 0.2]))
    np.testing.assert_allclose(found, [0.0, (2 - 0.25) / 4])
    np.testing.assert_allclose(treat_all(positive, np.array([0.5, 0.2])), [0.0, 0.5 - 0.5 * 0.25])


def test_an_oracle_gains_the_prevalence_everywhere_and_guessing_nothing_beyond_all_or_none() -> (
    None
):
    positive = np.arange(100) < 30
    oracle = net_benefit(positive.astype(float), positive)
    np.testing.assert_allclose(oracle, 0.3)
    assert useful_range(oracle, treat_all(positive)) == (0.01, 0.99)
    constant = net_benefit(np.full(100, 0.3), positive)
    assert useful_range(constant, treat_all(positive)) is None


def test_the_longest_stretch_counts() -> None:
    benefit = np.full(THRESHOLDS.size, -1.0)
    benefit[[3, 4, 10, 11, 12]] = 1.0
    assert useful_range(benefit, np.zeros(THRESHOLDS.size)) == pytest.approx((0.11, 0.13))
