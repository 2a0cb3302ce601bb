"""The phantom is not solved cheaply: counting grays and a thumbnail do not find the lesions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medistill.data.phantom import PhantomSlice, draw_phantom

COUNT = 600


@pytest.fixture(scope="module")
def slices() -> list[PhantomSlice]:
    return [draw_phantom(index=index, seed=0, size=128) for index in range(COUNT)]


def _cheap_features(slices: list[PhantomSlice]) -> NDArray[np.float64]:
    """Histogram of 32 grays and the mean of each of 8 x 8 squares."""
    pixels = np.stack([drawn.pixels for drawn in slices])
    histogram = np.stack([np.histogram(p, 32, (0, 256))[0] / p.size for p in pixels])
    thumbnail = pixels.reshape(len(pixels), 8, 16, 8, 16).mean((2, 4)).reshape(len(pixels), 64)
    return np.concatenate([histogram, thumbnail], axis=1)


def _auroc(features: NDArray[np.float64], labels: NDArray[np.bool_], strength: float) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=4000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")
    return float(roc_auc_score(labels, scores[:, 1]))


def test_logistic_regression_on_grays_and_thumbnail_stays_under_65(
    slices: list[PhantomSlice],
) -> None:
    labels = np.array([bool(drawn.lesions) for drawn in slices])
    assert labels.mean() == pytest.approx(0.5)
    features = _cheap_features(slices)
    # The best of several strengths, which favours the regression.
    assert max(_auroc(features, labels, c) for c in (1e-3, 1e-2, 1e-1)) < 0.65


def test_the_same_regression_finds_what_grays_do_show(slices: list[PhantomSlice]) -> None:
    width = np.array([drawn.window[1] for drawn in slices])
    assert _auroc(_cheap_features(slices), width > np.median(width), 1e-1) > 0.85
