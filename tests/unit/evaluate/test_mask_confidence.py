from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import f1_score, roc_auc_score

from medistill.evaluate.mask_confidence import (
    entropy,
    error_detection,
    expected_dice,
    foreground_dice,
)

RANDOM = np.random.default_rng(0)
CHANCES = RANDOM.dirichlet([2.0, 1.0, 1.0], size=(5, 6, 6)).transpose(0, 3, 1, 2)
LABELS = RANDOM.integers(0, 3, size=(5, 6, 6))


def test_entropy_is_scipys_over_its_largest_value() -> None:
    assert entropy(CHANCES) == pytest.approx(scipy_entropy(CHANCES, axis=1) / np.log(3))


def test_dice_is_scikit_learns_f1_of_the_foreground() -> None:
    found = foreground_dice(CHANCES, LABELS)
    for n in range(5):
        expected = f1_score(LABELS[n].ravel() > 0, CHANCES[n].argmax(axis=0).ravel() > 0)
        assert found[n] == pytest.approx(expected)
    empty = np.zeros((1, 2, 3, 3))
    empty[:, 0] = 1
    assert foreground_dice(empty, np.zeros((1, 3, 3), int)) == pytest.approx(1.0)


def test_expected_dice_of_sure_masks_is_one_and_of_doubt_is_less() -> None:
    sure = np.zeros((1, 2, 2, 2))
    sure[0, 1] = [[1, 0], [1, 0]]
    sure[0, 0] = 1 - sure[0, 1]
    assert expected_dice(sure) == pytest.approx(1.0)
    doubt = np.full((1, 2, 2, 2), 0.5) + np.array([-0.1, 0.1])[None, :, None, None]
    assert expected_dice(doubt) == pytest.approx(2 * 2.4 / (2.4 + 4))
    assert expected_dice(sure[:, ::-1][:, :, :, 1:] * 0 + [[[[0.9]], [[0.1]]]]) == pytest.approx(
        0.9
    )


def test_error_detection_is_scikit_learns_auroc() -> None:
    some = LABELS.copy()
    some[:, 0] = 255
    found = error_detection(CHANCES, some)
    heat, wrong = entropy(CHANCES), CHANCES.argmax(axis=1) != LABELS
    for n in range(5):
        assert found[n] == pytest.approx(roc_auc_score(wrong[n, 1:].ravel(), heat[n, 1:].ravel()))
    perfect = np.moveaxis(np.eye(3)[LABELS], -1, 1)
    assert np.isnan(error_detection(perfect, LABELS)).all()
