from __future__ import annotations

import numpy as np

from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mistakes import worst_mistakes
from medistill.evaluate.predictions import Predictions


def test_surest_errors_first_one_a_group():
    table = Predictions(
        names=["right", "mild", "sure", "surer, same group"],
        groups=["a", "b", "c", "c"],
        labels=[1, 0, 0, 1],
        probabilities=[[0.1, 0.9], [0.4, 0.6], [0.1, 0.9], [0.95, 0.05]],
    )
    mistakes = worst_mistakes(table)
    assert [m.name for m in mistakes] == ["surer, same group", "mild"]
    assert (mistakes[0].label, mistakes[0].predicted, mistakes[0].probability) == (1, 0, 0.95)
    assert [m.row for m in worst_mistakes(table, count=1)] == [3]
    assert mistakes[0].in_words(["a", "b"]) == "b, taken for a with 95%"


def test_labels_that_were_missed_or_wrongly_found():
    table = LabelPredictions(
        names=["x", "y"],
        groups=["1", "2"],
        labels=[[1, 0], [np.nan, 1]],
        probabilities=[[0.1, 0.6], [0.9, 0.4]],
    )
    said = [m.in_words(["nodule", "effusion"]) for m in worst_mistakes(table)]
    assert said == ["nodule, missed with 10%", "effusion, missed with 40%"]
