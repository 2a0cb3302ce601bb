from __future__ import annotations

import numpy as np

from medistill.bundle.calibration import Calibration
from medistill.evaluate.decisions import Answers, Fitted
from medistill.evaluate.examined import Examined, groups_of, labels_of


def test_probabilities_with_and_without_the_temperature_and_folds_in_order() -> None:
    asked = Answers(logits=np.array([[np.log(9.0), 0.0]]), labels=np.array([0]), groups=["a"])
    other = Answers(logits=np.zeros((1, 2)), labels=np.array([1]), groups=["b"])
    fitted = Fitted(calibration=Calibration(temperature=2.0))
    found = Examined(fitted=fitted, calibrate=other, evaluate=asked)
    np.testing.assert_allclose(found.chances(task="single-label"), [[0.75, 0.25]])
    np.testing.assert_allclose(found.chances(task="single-label", calibrated=False), [[0.9, 0.1]])
    np.testing.assert_allclose(found.chances(found.calibrate, task="single-label"), [[0.5, 0.5]])
    folds = [found, Examined(fitted=fitted, calibrate=asked, evaluate=other)]
    assert labels_of(folds).tolist() == [0, 1]
    assert groups_of(folds) == ["a", "b"]
