from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from medistill.evaluate.predictions import Predictions

Simulate = Callable[..., Predictions]


@pytest.fixture
def simulate() -> Simulate:
    """Grouped predictions of a model of a given skill; the same seed is the same images."""

    def make(
        *,
        images: int = 120,
        groups: int = 30,
        classes: int = 2,
        folds: int = 1,
        skill: float = 1.5,
        seed: int = 0,
        model: int = 0,
        decimals: int | None = None,
    ) -> Predictions:
        random = np.random.default_rng(seed)
        group = np.random.default_rng(9).permutation(images) % groups
        labels = (group // folds) % classes
        own = np.random.default_rng([7, seed, model])
        logits = skill * np.eye(classes)[labels] + random.normal(size=(images, classes))
        logits += 0.7 * own.normal(size=(images, classes))
        odds = np.exp(logits)
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        if decimals is not None:
            probabilities = np.floor(probabilities * 10**decimals) / 10**decimals
            probabilities[:, 0] = 1 - probabilities[:, 1:].sum(axis=1)
        return Predictions(
            names=[f"i{row}" for row in range(images)],
            groups=[f"g{number}" for number in group],
            labels=labels,
            probabilities=np.clip(probabilities, 0, 1),
            folds=group % folds,
        )

    return make
