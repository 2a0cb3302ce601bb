from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.bootstrap import Statistic
from medistill.evaluate.paired import sign_flip_p, swap_scores
from tests.unit.evaluate.label_tables import label_table


@pytest.mark.parametrize("name", ["auroc", "brier", "log_loss"])
def test_scores_of_a_mean_add_up_to_the_difference(name):
    first, second = label_table(), label_table(skill=0.3, model=1)
    statistic = Statistic(function=first.metrics[name].function)
    scores = swap_scores(name, first, second)
    assert scores is not None
    assert scores.sum() == pytest.approx(float(statistic.of(first) - statistic.of(second)))
    assert 0 < sign_flip_p(scores[:, None], flips=500, seed=0)[0] <= 1


@pytest.mark.parametrize("name", ["class_auroc", "sensitivity", "specificity"])
def test_scores_of_labels_add_up_label_by_label(name):
    first, second = label_table(), label_table(skill=0.3, model=1)
    statistic = Statistic(function=first.metrics[name].function)
    scores = swap_scores(name, first, second)
    assert scores is not None
    expected = statistic.of(first) - statistic.of(second)
    assert scores.sum(axis=0) == pytest.approx(expected, nan_ok=True)


def test_what_is_no_sum_has_no_swap_scores():
    table = label_table()
    assert table.swap("f1") is table.swap("average_precision") is None
    assert table.only(np.arange(8)).swap("auroc") is None
