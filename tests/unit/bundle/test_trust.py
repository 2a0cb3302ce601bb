from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from medistill.bundle.trust import (
    FeatureDistance,
    Scale,
    TrustGate,
    energy,
    feature_distance,
    trust_scores,
)

KNOWN = FeatureDistance(
    means=((0.0, 0.0, 0.0), (4.0, 0.0, 0.0)),
    directions=((1.0, 0.0, 0.0),),
    variances=(4.0,),
    rest=0.25,
)
GATE = TrustGate(
    energy=Scale(centre=0.0, spread=1.0),
    distance=Scale(centre=1.0, spread=0.5),
    features=KNOWN,
    threshold=2.0,
    false_alarms=0.05,
    groups=40,
)


def test_energy_is_minus_the_log_sum_exp() -> None:
    logits = np.array([[1.0, 2.0, 700.0], [-800.0, -801.0, -802.0]])
    np.testing.assert_allclose(energy(logits, task="single-label"), -logsumexp(logits, axis=1))


def test_energy_of_labels_adds_up() -> None:
    # log(1 + exp(0)) = ln 2 for each of three labels
    np.testing.assert_allclose(energy(np.zeros((1, 3)), task="multi-label"), [-3 * np.log(2)])


def test_energy_of_a_mask_is_the_mean_over_pixels() -> None:
    logits = np.zeros((1, 2, 1, 2))
    logits[0, :, 0, 1] = np.log(3.0)
    expected = -(np.log(2) + np.log(6)) / 2
    np.testing.assert_allclose(energy(logits, task="segmentation"), [expected])


def test_distance_is_mahalanobis_to_the_nearest_mean() -> None:
    features = np.random.default_rng(0).normal(scale=3, size=(50, 3))
    precision = np.diag([1 / 4.0, 1 / 0.25, 1 / 0.25])
    expected = cdist(features, np.array(KNOWN.means), "mahalanobis", VI=precision).min(axis=1) ** 2
    np.testing.assert_allclose(feature_distance(features, KNOWN), expected / 3)


def test_the_larger_of_both_scores_counts() -> None:
    logits = np.array([[0.0, -1e9], [-5.0, -1e9], [0.0, -1e9]])  # energies 0, 5, 0
    features = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])  # 0, 0, 9/.25/3 = 12
    found = trust_scores(logits, GATE, task="single-label", features=features)
    np.testing.assert_allclose(found.total, [0.0, 5.0, (12 - 1) / 0.5], atol=1e-12)
    assert found.trusted.tolist() == [True, False, False]


def test_what_cannot_be_scored_is_not_trusted() -> None:
    logits = np.array([[np.nan, 0.0]])
    found = trust_scores(logits, GATE, task="single-label", features=np.zeros((1, 3)))
    assert found.trusted.tolist() == [False]


def test_a_gate_on_logits_alone_needs_no_features() -> None:
    gate = replace(GATE, distance=None, features=None)
    found = trust_scores(np.array([[0.0, -1e9]]), gate, task="single-label")
    assert found.distance is None
    assert found.trusted.tolist() == [True]


def test_missing_or_foreign_features_are_refused() -> None:
    with pytest.raises(ValueError, match="needs the feature 'pooled'"):
        trust_scores(np.zeros((1, 2)), GATE, task="single-label")
    with pytest.raises(ValueError, match="features of shape"):
        trust_scores(np.zeros((1, 2)), GATE, task="single-label", features=np.zeros((1, 2)))


@pytest.mark.parametrize("change", [{"rest": 0.0}, {"variances": (-1.0,)}, {"variances": ()}])
def test_impossible_features_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="varianc"):
        replace(KNOWN, **change)  # type: ignore[arg-type]


def test_half_a_distance_is_refused() -> None:
    with pytest.raises(ValueError, match="both its scale and its features"):
        replace(GATE, features=None)
    with pytest.raises(ValueError, match="spread"):
        Scale(centre=0.0, spread=0.0)
