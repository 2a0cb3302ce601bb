from __future__ import annotations

import re

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.label_predictions import LabelPredictions
from tests.unit.evaluate.label_tables import label_table

GOOD = {"names": ["a", "b"], "groups": ["1", "2"], "labels": [[0, 1], [np.nan, 0]],
        "probabilities": [[0.1, 0.2], [0.3, 0.4]]}  # fmt: skip


def test_a_label_counts_with_ten_groups_on_either_side():
    table = label_table()
    assert table.counted == (0, 1)
    few = table.only(np.arange(12))
    assert few.counted == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"labels": [[0, 2], [1, 0]]}, "'a' has a label that is neither 0, 1 nor unknown"),
        ({"probabilities": [[0.1, 1.2], [0, 0]]}, "'a' has a probability that is no number"),
        ({"probabilities": [[0.1, np.nan], [0, 0]]}, "'a' has a probability that is no number"),
        ({"labels": [[np.nan] * 2] * 2}, "every label of every image is unknown"),
        ({"labels": [[0, 1]]}, "differ in length"),
        ({"names": ["a", "a"]}, "image 'a' is there more than once"),
        ({"groups": ["1", "1"], "folds": [0, 1]}, "group '1' is in several folds"),
        ({"names": [], "groups": [], "labels": [], "probabilities": []}, "there are no images"),
    ],
)
def test_refuses_what_cannot_be_judged(change, what):
    with pytest.raises(DataError, match=re.escape(what)):
        LabelPredictions(**{**GOOD, **change})


def test_a_label_that_a_fold_nearly_lacks_does_not_count() -> None:
    """12 of 40 groups have both labels; the second has 4 of its 12 in the first fold."""
    labels = np.zeros((40, 2))
    labels[[*range(6), *range(20, 26)], 0] = 1
    labels[[*range(4), *range(20, 28)], 1] = 1
    table = LabelPredictions(
        names=[str(n) for n in range(40)],
        groups=[str(n) for n in range(40)],
        labels=labels,
        probabilities=np.full((40, 2), 0.5),
        folds=np.repeat([0, 1], 20),
    )
    assert table.counted == (0,)
