from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from medistill.evaluate.label_values import label_values
from medistill.evaluate.shares import clusters


def test_unknown_labels_do_not_count_and_the_macro_mean_is_of_what_is_defined() -> None:
    random = np.random.default_rng(0)
    labels = (random.random((300, 3)) < 0.3).astype(float)
    labels[:100, 0] = np.nan
    labels[:, 2] = np.nan
    chances = 1 / (1 + np.exp(-random.normal(size=(300, 3)) - np.nan_to_num(labels)))
    drawn = clusters([str(n // 2) for n in range(300)], word="patient", resamples=300)
    found = label_values(chances, labels, classes=["x", "y", "z"], drawn=drawn)
    json.dumps(found, allow_nan=False)
    expected = [
        roc_auc_score(labels[100:, 0], chances[100:, 0]),
        roc_auc_score(labels[:, 1], chances[:, 1]),
    ]
    assert found["per_label"]["x"]["auroc"]["estimate"] == pytest.approx(expected[0])
    assert found["macro"]["auroc"]["estimate"] == pytest.approx(np.mean(expected))
    assert found["macro"]["auroc"]["left_out"] == ["z"]
    precision = average_precision_score(labels[:, 1], chances[:, 1])
    assert found["per_label"]["y"]["average_precision"]["estimate"] == pytest.approx(precision)
    assert found["per_label"]["z"]["auroc"]["estimate"] is None
    assert found["per_label"]["z"]["auroc"]["reason"] == "a class is absent"
    assert found["known"] == {"x": 200, "y": 300, "z": 0}
    low, high = (found["macro"]["auroc"][key] for key in ("low", "high"))
    assert low < np.mean(expected) < high


def test_nothing_known_at_all_is_a_sentence() -> None:
    drawn = clusters(["a", "b"], word="patient", resamples=50)
    found = label_values(np.full((2, 1), 0.5), np.full((2, 1), np.nan), classes=["x"], drawn=drawn)
    assert found["macro"]["auroc"]["estimate"] is None
    assert found["macro"]["auroc"]["reason"]
