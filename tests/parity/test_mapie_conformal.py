"""Our class-conditional sets against MAPIE's split conformal sets fitted on each class alone."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from medistill.bundle.conformal import class_sets
from medistill.evaluate.conformal import fit_conformal

CLASSES = ("a", "b", "c")


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose input is the probabilities themselves."""

    def __init__(self) -> None:
        self.classes_ = np.arange(3)
        self.n_features_in_ = 3

    def fit(self, X: np.ndarray, y: np.ndarray) -> Given:  # noqa: N803
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
        return np.asarray(X).argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    raised = np.exp(random.normal(size=(count, 3)) + 1.2 * np.eye(3)[labels])
    return raised / raised.sum(axis=1, keepdims=True), labels


# MAPIE warns that a class alone lacks the others, which is what is meant here.
@pytest.mark.filterwarnings("ignore:WARNING. your conformalization dataset has less labels")
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_sets_equal_mapies_fitted_per_class(level: float) -> None:
    chances, labels = drawn(300, 0)
    asked, _ = drawn(500, 1)
    groups = [str(n) for n in range(300)]
    fitted, _ = fit_conformal(
        chances, labels, groups, level=level, task="single-label", classes=CLASSES
    )
    assert fitted is not None
    ours = class_sets(asked, fitted, CLASSES)
    for column in range(3):
        rows = labels == column
        model = SplitConformalClassifier(
            Given(), confidence_level=level, conformity_score="lac", prefit=True
        )
        model.conformalize(chances[rows], labels[rows])
        _, theirs = model.predict_set(asked)
        np.testing.assert_array_equal(ours[:, column], theirs[:, column, 0])
