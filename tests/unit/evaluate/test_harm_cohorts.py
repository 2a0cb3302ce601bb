from __future__ import annotations

import numpy as np

from medistill.evaluate import harm_cohorts
from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.harm_cohorts import cohorts
from medistill.evaluate.harm_parts import harm_parts
from medistill.evaluate.scored import score
from medistill.evaluate.subgroups import Subgroup

CLASSES = ["a", "b", "c"]


def test_images_are_scored_once_however_much_is_asked_of_them(simulate, monkeypatch):
    models = [simulate(classes=3, model=model) for model in range(3)]
    drawn = draw_resamples(models[0], resamples=40, seed=0)
    student, teacher, control = score(models, drawn)
    men = Subgroup(column="sex", value="M", rows=np.arange(60))
    parts = harm_parts(models[0], CLASSES, [men])
    asked = []
    monkeypatch.setattr(
        harm_cohorts, "score", lambda t, d, only: asked.append(sorted(only)) or score(t, d, only)
    )
    found = cohorts(student, {"teacher": teacher, "control": control}, parts, seed=0)
    assert asked == [["accuracy", "auroc"]]  # of the men; the classes had their figures already
    whole, of_men = found["control"]
    assert whole.student is student
    assert whole.other is control
    assert [metric.name for metric in whole.metrics] == ["sensitivity", "class_auroc"]
    assert {part.name for part in whole.parts} == set(CLASSES)
    assert of_men.rows.tolist() == list(range(60))
    assert of_men.student.resampled["accuracy"].shape == (40,)
    assert of_men.other.table.names == control.table.names[:60]
