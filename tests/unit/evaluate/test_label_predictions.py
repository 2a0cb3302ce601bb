from __future__ import annotations

import re

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.bootstrap import Statistic
from medistill.evaluate.grouped import check_same_images
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.paired import sign_flip_p, swap_scores
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.tables import read_table
from tests.unit.evaluate.label_tables import label_table

GOOD = {"names": ["a", "b"], "groups": ["1", "2"], "labels": [[0, 1], [np.nan, 0]],
        "probabilities": [[0.1, 0.2], [0.3, 0.4]]}  # fmt: skip


def test_a_label_counts_with_ten_groups_on_either_side():
    table = label_table()
    assert table.counted == (0, 1)
    few = table.only(np.arange(12))
    assert few.counted == ()


def test_there_and_back(tmp_path):
    table = label_table()
    table.write_csv(tmp_path / "student.csv", ["a", "b", "c, d"])
    again, names = read_table(tmp_path / "student.csv")
    assert names == ("a", "b", "c, d")
    assert isinstance(again, LabelPredictions)
    check_same_images({"before": table, "after": again})
    assert np.array_equal(again.probabilities, table.probabilities)


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


@pytest.mark.parametrize(
    "name", ["auroc", "brier", "log_loss", "class_auroc", "sensitivity", "specificity"]
)
def test_swap_scores_add_up_to_the_difference(name):
    first, second = label_table(), label_table(skill=0.3, model=1)
    statistic = Statistic(function=first.metrics[name].function)
    scores = swap_scores(name, first, second)
    assert scores is not None
    expected = statistic.of(first) - statistic.of(second)
    columns = slice(None) if np.ndim(expected) == 0 else slice(0, 2)  # the third has few
    assert (
        scores.sum(axis=0)[..., columns] == pytest.approx(np.atleast_1d(expected)[columns])
        if (np.ndim(expected))
        else scores.sum() == pytest.approx(float(expected))
    )
    p = sign_flip_p(scores.reshape(len(scores), -1), flips=500, seed=0)
    assert (p[: 2 if np.ndim(expected) else 1] <= 1).all()


def test_what_is_no_sum_has_no_swap_scores():
    table = label_table()
    assert table.swap("f1") is table.swap("average_precision") is None
    assert table.only(np.arange(8)).swap("auroc") is None
