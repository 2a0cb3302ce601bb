from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medistill.bundle.decisions import Decisions
from medistill.evaluate.decisions import Answers, Fitted
from medistill.evaluate.examined import Examined
from medistill.evaluate.operating import Wish
from medistill.evaluate.operating_values import operating_values
from medistill.evaluate.shares import clusters
from tests.unit.evaluate.examined_models import examined

CLASSES = ["well", "ill"]


def test_a_wish_from_calibrate_is_counted_on_evaluate() -> None:
    model = examined()
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    wish = Wish(rule="sensitivity", value=0.8)
    first, *others = operating_values(
        [model], task="single-label", classes=CLASSES, wish=wish, drawn=drawn
    )
    assert first["shipped"]
    assert first["class"] == "ill"
    assert [other["rule"] for other in others] == ["sensitivity", "specificity", "youden"]
    called = model.chances(task="single-label")[:, 1] >= first["threshold"]
    truth = model.evaluate.labels == 1
    assert first["confusion"] == {
        "hits": int((called & truth).sum()),
        "misses": int((~called & truth).sum()),
        "false_alarms": int((called & ~truth).sum()),
        "rejections": int((~called & ~truth).sum()),
    }
    assert first["sensitivity"]["estimate"] == pytest.approx(0.8, abs=0.1)
    assert first["sensitivity"]["low"] < first["sensitivity"]["estimate"]
    expected = (called & truth).sum() / called.sum()
    assert first["positive_predictive_value"]["estimate"] == pytest.approx(expected)


def test_a_bundle_has_the_threshold_that_it_ships_and_no_other() -> None:
    model = examined()
    fitted = Fitted(thresholds={"well": 0.3, "ill": 0.7})
    bundle = Examined(fitted=fitted, calibrate=None, evaluate=model.evaluate)
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    wish = Wish(rule="sensitivity", value=0.8)
    (point,) = operating_values(
        [bundle], task="single-label", classes=CLASSES, wish=wish, drawn=drawn
    )
    called = bundle.chances(task="single-label")[:, 1] >= 0.7
    truth = model.evaluate.labels == 1
    assert (point["threshold"], point["shipped"]) == (0.7, True)
    assert point["confusion"]["hits"] == int((called & truth).sum()) > 0
    assert point["confusion"]["false_alarms"] == int((called & ~truth).sum())
    refused = Fitted(decisions=Decisions(refusals={"thresholds": "too few groups"}))
    (point,) = operating_values(
        [replace(bundle, fitted=refused)],
        task="single-label",
        classes=CLASSES,
        wish=wish,
        drawn=drawn,
    )
    assert point["reason"] == "too few groups"
    assert not operating_values(
        [bundle], task="single-label", classes=CLASSES, wish=None, drawn=drawn
    )


def of_three() -> Examined:
    """Sixty images of three classes, one a group: each said right but every fifth."""
    labels = np.arange(60) % 3
    said = np.where(np.arange(60) % 5 == 0, (labels + 1) % 3, labels)
    chances = np.where(said[:, None] == np.arange(3), 0.6, 0.2)
    groups = [str(n) for n in range(60)]
    asked = Answers(logits=np.log(chances), labels=labels, groups=groups)
    return Examined(fitted=Fitted(), calibrate=asked, evaluate=asked)


def test_the_named_one_of_three_classes_is_counted_against_the_others() -> None:
    model = of_three()
    kind = {"task": "single-label", "classes": ["a", "b", "c"]}
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = operating_values([model], **kind, wish=None, named="b", drawn=drawn)
    assert [(point["rule"], point["class"]) for point in found] == [
        ("sensitivity", "b"),
        ("specificity", "b"),
        ("youden", "b"),
    ]
    assert not any(point["shipped"] for point in found)
    # Four of 20 images of b are taken for c, and four of a for b. Its score p / (p + the largest
    # other) is .75 where b is said and .25 elsewhere.
    assert found[2]["threshold"] == 0.5
    assert found[2]["confusion"] == {
        "hits": 16,
        "misses": 4,
        "false_alarms": 4,
        "rejections": 36,
    }
    assert found[2]["specificity"]["estimate"] == pytest.approx(36 / 40)
    wish = Wish(rule="cost", value=50.0, positive="b")
    shipped, *others = operating_values([model], **kind, wish=wish, drawn=drawn)
    assert (shipped["rule"], shipped["shipped"], shipped["class"]) == ("cost", True, "b")
    # At that price nothing may be missed.
    assert shipped["confusion"] == {"hits": 20, "misses": 0, "false_alarms": 40, "rejections": 0}
    assert not any(point["shipped"] for point in others)


def test_without_an_image_of_the_class_there_are_no_predictive_values() -> None:
    model = of_three()
    labels = np.where(model.evaluate.labels == 1, 0, model.evaluate.labels)
    without = replace(model, evaluate=replace(model.evaluate, labels=labels))
    kind = {"task": "single-label", "classes": ["a", "b", "c"], "wish": None, "named": "b"}
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    point = operating_values([without], **kind, drawn=drawn)[0]
    for name in ("positive_predictive_value", "negative_predictive_value"):
        assert point[name]["estimate"] is None
        assert point[name]["reason"] == "all images or none are of the class"
    assert point["sensitivity"]["reason"] == "there is no such image"
    assert point["specificity"]["estimate"] is not None


def test_the_first_of_two_classes_may_be_the_named_one() -> None:
    model = examined()
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = operating_values(
        [model], task="single-label", classes=CLASSES, wish=None, named="well", drawn=drawn
    )
    assert {point["class"] for point in found} == {"well"}
    hits = found[0]["confusion"]["hits"] + found[0]["confusion"]["misses"]
    assert hits == int((model.evaluate.labels == 0).sum())


def test_every_label_has_its_own_points() -> None:
    model = examined(task="multi-label")
    model.evaluate.labels[:50, 0] = np.nan
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = operating_values([model], task="multi-label", classes=CLASSES, wish=None, drawn=drawn)
    assert [point["class"] for point in found] == CLASSES * 3
    assert sum(found[0]["confusion"].values()) == 250
    assert sum(found[1]["confusion"].values()) == 300


def test_what_could_not_be_chosen_says_why_and_masks_have_none() -> None:
    model = examined(count=12)
    drawn = clusters(model.evaluate.groups, word="patient", resamples=200)
    found = operating_values([model], task="single-label", classes=CLASSES, wish=None, drawn=drawn)
    assert all("too few groups" in point["reason"] for point in found)
    assert not operating_values([], task="segmentation", classes=CLASSES, wish=None, drawn=drawn)
    assert not operating_values([], task="single-label", classes="abc", wish=None, drawn=drawn)
