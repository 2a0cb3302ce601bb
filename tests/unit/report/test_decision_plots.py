from __future__ import annotations

from typing import Any

from medistill.evaluate.decision_values import decision_values
from medistill.report import decision_plots
from tests.unit.evaluate.examined_models import examined


def test_curves_say_what_they_show(metrics: dict[str, Any]) -> None:
    models = {"student": [examined()]}
    found = decision_values(models, task="single-label", classes=["well", "ill"], word="patient")
    decided = {**metrics, "decisions": found}
    (curve,) = decision_plots.decision_curves(decided)
    assert "Decision curve of ill: student better than all and none from 0." in curve
    (chosen,) = decision_plots.selective(decided)
    assert "Accuracy over coverage: student from 0." in chosen
    assert decision_plots.decision_curves(metrics) == decision_plots.selective(metrics) == []
