from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from medistill.core.errors import DataError
from medistill.evaluate.holm import holm
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.several import compare_models

Simulate = Callable[..., Predictions]
QUICK = {"classes": ["a", "b"], "word": "patient", "resamples": 200, "flips": 500}


def test_every_pair_is_corrected_together_and_seeds_are_kept_apart(simulate: Simulate) -> None:
    models = {
        "one": {
            "student": [simulate(model=1), simulate(model=2)],
            "control": [simulate(model=3)],
            "teacher": [simulate(model=4, skill=4.0)],
        },
        "two": {"student": [simulate(model=5)]},
    }
    found = compare_models(models, **QUICK)
    json.dumps(found, allow_nan=False)
    assert [(row["run"], row["role"]) for row in found["models"]] == [
        ("one", "student"),
        ("one", "control"),
        ("one", "teacher"),
        ("two", "student"),
    ]
    assert len(found["models"][0]["seeds"]["auroc"]["values"]) == 2
    pairs = [(row["first"], row["second"]) for row in found["differences"]]
    assert pairs == [
        ("one student", "one control"),
        ("one student", "one teacher"),
        ("two student", "one student"),
    ]
    cells = [row["overall"]["auroc"] for row in found["differences"]]
    assert [cell["corrected"] for cell in cells] == holm([cell["p"] for cell in cells])
    for cell in cells:
        assert cell["verdict"] == "undecided" or cell["corrected"] < 0.05
    assert any("two has no control" in note for note in found["notes"])


def test_runs_on_different_images_are_refused_and_the_images_named(simulate: Simulate) -> None:
    other = simulate(images=121)
    with pytest.raises(DataError, match=r"two student 0: was evaluated on other images .*i120"):
        compare_models({"one": {"student": [simulate()]}, "two": {"student": [other]}}, **QUICK)
