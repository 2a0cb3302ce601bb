from __future__ import annotations

import pytest

from medistill.evaluate.set_values import set_values
from medistill.evaluate.shares import clusters
from tests.unit.evaluate.examined_models import examined

CLASSES = ["well", "ill"]


def test_coverage_and_sizes_are_counted() -> None:
    model = examined()
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = set_values([model], task="single-label", classes=CLASSES, drawn=drawn)
    assert found["level"] == 0.9
    for name in CLASSES:
        assert found["coverage"][name]["estimate"] == pytest.approx(0.9, abs=0.08)
    assert sum(each["estimate"] for each in found["sizes"].values()) == pytest.approx(1.0)


def test_labels_are_covered_present_and_absent_each() -> None:
    model = examined(task="multi-label")
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = set_values([model], task="multi-label", classes=CLASSES, drawn=drawn)
    assert set(found["coverage"]) == {"well present", "well absent", "ill present", "ill absent"}
    for each in found["coverage"].values():
        assert each["estimate"] == pytest.approx(0.9, abs=0.09)


def test_refused_sets_say_why() -> None:
    model = examined(count=10)
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = set_values([model], task="single-label", classes=CLASSES, drawn=drawn)
    assert "too few groups" in found["reason"]
    assert set_values([], task="single-label", classes=CLASSES, drawn=drawn)["reason"]
