from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.strange import StrangeSet, strange_values
from tests.unit.evaluate.examined_models import examined


def test_far_images_are_caught_and_known_ones_let_through() -> None:
    model, random = examined(), np.random.default_rng(0)
    groups = tuple(str(n) for n in range(60))
    far = StrangeSet(
        logits=np.zeros((60, 2)), features=random.normal(8, 1, (60, 5)), groups=groups, near=False
    )
    same = StrangeSet(
        logits=model.evaluate.logits,
        features=model.evaluate.features,
        groups=tuple(model.evaluate.groups),
        near=True,
    )
    found = strange_values(model, {"far": far, "same": same}, task="single-label", word="image")
    assert found["false_alarms"]["estimate"] == pytest.approx(0.05, abs=0.05)
    assert found["sets"]["far"]["caught"]["estimate"] == 1.0
    assert found["sets"]["far"]["auroc"]["distance"] == 1.0
    assert found["sets"]["same"]["caught"]["estimate"] < 0.2
    assert found["sets"]["same"]["auroc"]["total"] == pytest.approx(0.5)


def test_without_a_gate_the_reason_stands_there() -> None:
    found = strange_values(examined(count=10), {}, task="single-label", word="image")
    assert "too few groups" in found["reason"]
