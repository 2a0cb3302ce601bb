from __future__ import annotations

import numpy as np

from medistill.evaluate.comparison import evaluate
from medistill.evaluate.harm_parts import harm_parts, title_of
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.subgroups import Subgroup
from tests.unit.evaluate.label_tables import label_table, mask_table

HALF = Subgroup(column="site", value="A", rows=np.arange(60))
FEW = Subgroup(column="site", value="B", rows=np.arange(8))


def test_two_classes_share_one_auroc(simulate):
    parts = harm_parts(simulate(), ["well", "ill"], [HALF])
    assert [(p.name, p.metric) for p in parts] == [
        ("well", "sensitivity"),
        ("ill", "sensitivity"),
        ("ill", "class_auroc"),
        ("site A", "accuracy"),
        ("site A", "auroc"),
    ]
    three = harm_parts(simulate(classes=3), ["a", "b", "c"], [])
    assert sum(p.metric == "class_auroc" for p in three) == 3


def test_labels_and_masks_have_their_own_metrics_and_small_ones_a_reason():
    labels = harm_parts(label_table(), ["a", "b", "rare"], [HALF, FEW])
    assert {p.metric for p in labels if p.kind == "subgroup"} == {"auroc"}
    reasons = {p.name: p.reason for p in labels}
    assert reasons["a"] is reasons["site A"] is None
    assert reasons["rare"].startswith("too few groups")
    assert reasons["site B"] == "too few groups, 8"
    masks = harm_parts(mask_table(), ["a", "b"], [])
    assert [p.metric for p in masks] == ["class_dice", "class_dice"]


def test_each_metric_is_withheld_for_want_of_its_own_images_alone():
    names = [str(n) for n in range(60)]
    labels = np.r_[np.zeros(52, dtype=np.int64), np.ones(4), np.full(4, 2)].astype(np.int64)
    table = Predictions(
        names=names, groups=names, labels=labels, probabilities=np.full((60, 3), 1 / 3)
    )
    old = Subgroup(column="age", value="65 and over", rows=np.arange(36, 60))
    reasons = {(p.name, p.metric): p.reason for p in harm_parts(table, ["a", "b", "c"], [old])}
    kinds = "too few images of one kind, 52 with it and 8 others"
    assert reasons["a", "sensitivity"] is None
    assert reasons["a", "class_auroc"] == kinds
    assert reasons["b", "sensitivity"] == "too few groups, 4"
    assert reasons["age 65 and over", "accuracy"] is None
    of_age = "too few images of one kind, 16 of 'a' and 8 others"
    assert reasons["age 65 and over", "auroc"] == of_age


def test_what_is_called_is_named_with_the_point_at_which():
    labels = label_table()
    assert title_of(labels.metrics["sensitivity"], labels) == (
        "sensitivity at a probability of 0.5"
    )
    assert title_of(labels.metrics["class_auroc"], labels) == "AUROC"


def test_labels_are_judged_as_a_whole():
    found = evaluate(
        {
            "student": label_table(images=240, groups=120, skill=0.2),
            "control": label_table(images=240, groups=120, skill=2.0, model=1),
        },
        classes=["a", "b", "rare"],
        group_word="patient",
        resamples=200,
        flips=500,
        parts=[HALF],
    )
    assert found["answer"]["verdict"] == "worse"
    worse = {each["name"] for each in found["harm"] if each["verdict"] == "worse"}
    assert {"a", "b"} <= worse
    silent = [each for each in found["harm"] if each["name"] == "rare"]
    assert all(each["reason"] for each in silent)
    assert found["counts"]["known_per_class"]["a"] < 240
    assert set(found["models"]["student"]["calibration"]["bins"]) == {"a", "b", "rare"}
    classical = found["differences"]["student_minus_control"]["classical"]
    assert classical["reason"] == "they are for one label an image"
