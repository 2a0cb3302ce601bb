from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA

from medistill.bundle.trust import feature_distance, trust_scores
from medistill.evaluate.trust import fit_trust, known_features


def features(count: int, width: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    return random.normal(loc=shift, size=(count, width)) @ mixing


def own_groups(count: int) -> list[str]:
    return [str(n) for n in range(count)]


def test_one_mean_agrees_with_the_covariance_of_probabilistic_pca() -> None:
    known, asked = features(200, 8), features(30, 8, seed=1)
    model = PCA(n_components=7).fit(known)  # our 7 = min(32, 8 - 1, 200 // 5)
    offset = asked - known.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", offset, model.get_precision(), offset) / 8
    found = known_features(known)
    assert found is not None
    np.testing.assert_allclose(feature_distance(asked, found), expected, rtol=1e-3)


def test_class_means_share_one_spread() -> None:
    labels = np.arange(300) % 3
    known = features(300, 4) + 10 * np.eye(4)[labels]
    found = known_features(known, labels)
    assert found is not None
    assert len(found.means) == 3
    np.testing.assert_allclose(found.means[1], known[labels == 1].mean(axis=0), rtol=1e-4)
    within = EmpiricalCovariance(assume_centered=True).fit(
        known - np.stack([known[labels == c].mean(axis=0) for c in range(3)])[labels]
    )
    total = sum(found.variances) + found.rest * (4 - len(found.variances))
    assert total == pytest.approx(np.trace(within.covariance_) * 300 / 297, rel=1e-4)


@pytest.mark.parametrize("known", [np.zeros((5, 3)), np.zeros((50, 3))])
def test_few_or_constant_features_are_none(known: np.ndarray) -> None:
    assert known_features(known) is None


def test_new_known_images_are_stopped_as_often_as_wished_and_strange_ones_always() -> None:
    known, stopped = known_features(features(400, 16)), []
    for seed in range(1, 60):
        logits = np.random.default_rng(seed).normal(size=(99, 2))
        gate, reasons = fit_trust(
            logits,
            own_groups(99),
            task="single-label",
            features=features(99, 16, seed=seed),
            known=known,
        )
        assert gate is not None
        assert not reasons
        new = np.random.default_rng(1000 + seed).normal(size=(400, 2))
        fresh = features(400, 16, seed=1000 + seed)
        found = trust_scores(new, gate, task="single-label", features=fresh)
        stopped.append(1 - found.trusted.mean())
        strange = features(100, 16, seed=2000 + seed, shift=6.0)
        far = trust_scores(new[:100], gate, task="single-label", features=strange)
        assert not far.trusted.any()
    assert np.mean(stopped) == pytest.approx(0.05, abs=0.012)


def test_without_features_energy_alone_counts_and_says_so() -> None:
    logits = np.random.default_rng(0).normal(size=(40, 2))
    gate, reasons = fit_trust(logits, own_groups(40), task="single-label")
    assert gate is not None
    assert gate.features is None
    assert "no features" in reasons["trust.distance"]
    assert trust_scores(logits, gate, task="single-label").trusted.mean() >= 0.95


def test_a_gate_needs_groups_and_logits_that_differ() -> None:
    logits = np.random.default_rng(0).normal(size=(40, 2))
    gate, reasons = fit_trust(logits, ["a", "b"] * 20, task="single-label", word="patient")
    assert gate is None
    assert "2 patients; it needs at least 19" in reasons["trust"]
    gate, reasons = fit_trust(np.zeros((40, 2)), own_groups(40), task="single-label")
    assert gate is None
    assert "same logits" in reasons["trust"]
