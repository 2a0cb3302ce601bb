from __future__ import annotations

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.grouped import check_same_images
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.predictions import Predictions

GOOD = {"names": ["a", "b"], "groups": ["1", "2"], "labels": [[0, 1], [np.nan, 0]],
        "probabilities": [[0.1, 0.2], [0.3, 0.4]]}  # fmt: skip


def test_what_groups_and_folds_imply():
    table = Predictions(
        names=list("abcd"),
        groups=["y", "x", "y", "z"],
        labels=[0, 1, 1, 0],
        probabilities=[[0.5, 0.5]] * 4,
        folds=[1, 0, 1, 1],
    )
    assert table.group_index.tolist() == [1, 0, 1, 2]
    assert (len(table), table.group_count) == (4, 3)
    assert [rows.tolist() for rows in table.fold_rows] == [[1], [0, 2, 3]]
    assert table.groups_with(table.labels == 0) == 2
    part = table.only(np.array([0, 2]))
    assert (part.names, part.group_count) == (("a", "c"), 1)


def test_other_labels_and_other_tasks_are_not_compared():
    table = LabelPredictions(**GOOD)
    other = LabelPredictions(**{**GOOD, "labels": [[0, 1], [1, 0]]})
    with pytest.raises(DataError, match="label, group or fold of 'b'"):
        check_same_images({"one": table, "two": other})
    single = Predictions(
        names=["a", "b"], groups=["1", "2"], labels=[0, 1], probabilities=[[1, 0], [0, 1]]
    )
    with pytest.raises(DataError, match="has other labels than one"):
        check_same_images({"one": table, "two": single})
