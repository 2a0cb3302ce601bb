from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from medistill.bundle.calibration import decide
from medistill.core.errors import RecipeError
from medistill.evaluate.operating import Wish, choose_thresholds, threshold_for

SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
TRUTH = np.array([0, 0, 1, 0, 1, 0, 1, 1], dtype=bool)


def rates(threshold: float) -> tuple[float, float]:
    """Sensitivity and specificity, counted."""
    called = threshold <= SCORES
    return float(called[TRUTH].mean()), float((~called)[~TRUTH].mean())


@pytest.mark.parametrize(
    ("wish", "threshold"),
    [
        # 3 of 4 positives lie at .6 or above, all four at .3 or above
        (Wish(rule="sensitivity", value=0.75), 0.5),
        (Wish(rule="sensitivity", value=0.76), 0.25),
        # 3 of 4 negatives lie below .5, all below .75
        (Wish(rule="specificity", value=0.75), 0.5),
        (Wish(rule="specificity", value=0.9), 0.75),
        (Wish(rule="youden"), 0.5),
        # a miss costs 3: at .25 there are two false alarms (2), at .5 one of each (4)
        (Wish(rule="cost", value=3.0), 0.25),
        # a miss costs a third: at .75 two misses (2/3), at .5 one of each (4/3)
        (Wish(rule="cost", value=1 / 3), 0.75),
    ],
)
def test_thresholds_by_hand(wish: Wish, threshold: float) -> None:
    assert threshold_for(wish, SCORES, TRUTH) == pytest.approx(threshold)


def test_youden_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth = random.random(500) < 0.3
    scores = 1 / (1 + np.exp(-random.normal(size=500) - truth))
    false, true, _ = roc_curve(truth, scores)
    found = threshold_for(Wish(rule="youden"), scores, truth)
    called = scores >= found
    gained = called[truth].mean() - called[~truth].mean()
    assert gained == pytest.approx((true - false).max())


def test_constant_scores_have_a_threshold() -> None:
    same = np.full(8, 0.5)
    assert threshold_for(Wish(rule="sensitivity", value=0.9), same, TRUTH) < 0.5
    assert threshold_for(Wish(rule="specificity", value=0.9), same, TRUTH) > 0.5


@pytest.mark.parametrize(
    ("lowest", "threshold"), [(1e-7, 5e-8), (1e-12, 5e-13), (0.3, 0.15), (0.0, None)]
)
def test_a_confident_miss_is_caught_or_refused(lowest: float, threshold: float | None) -> None:
    # 2 of 12 positives score lowest of all: 95 % keeps every one, 80 % needs neither of them
    scores = np.concatenate([[lowest] * 2, np.full(10, 0.8), np.full(12, 0.5)])
    truth = np.arange(24) < 12
    found = threshold_for(Wish(rule="sensitivity", value=0.95), scores, truth)
    assert found == (None if threshold is None else pytest.approx(threshold))
    eased = threshold_for(Wish(rule="sensitivity", value=0.8), scores, truth)
    assert eased == pytest.approx(0.65)


@pytest.mark.parametrize(("highest", "threshold"), [(1 - 1e-8, 1 - 5e-9), (1.0, None)])
def test_a_confident_false_alarm_is_caught_or_refused(
    highest: float, threshold: float | None
) -> None:
    scores = np.concatenate([[highest] * 2, np.full(10, 0.2), np.full(12, 0.5)])
    truth = np.arange(24) >= 12
    found = threshold_for(Wish(rule="specificity", value=0.95), scores, truth)
    assert found == (None if threshold is None else pytest.approx(threshold, abs=1e-12))


def test_a_wish_that_no_threshold_keeps_is_a_reason() -> None:
    score = np.concatenate([[0.0] * 2, np.full(10, 0.8), np.full(12, 0.5)])
    labels = (np.arange(24) < 12).astype(int)
    wish, groups = Wish(rule="sensitivity", value=0.95), [str(n) for n in range(24)]
    pair = np.stack([1 - score, score], axis=1)
    common = {"groups": groups, "classes": ["well", "ill"], "wish": wish}
    single = choose_thresholds(pair, labels, task="single-label", **common)  # type: ignore[arg-type]
    reason = "no threshold keeps a sensitivity of 0.95"
    assert single == ({}, None, {"thresholds": reason})
    both = np.stack([1 - labels, labels], axis=1).astype(float)
    limits, _, reasons = choose_thresholds(pair, both, task="multi-label", **common)  # type: ignore[arg-type]
    assert reasons == {"thresholds.ill": reason}
    assert limits["ill"] == 0.5
    assert limits["well"] < 0.5


def test_the_pair_does_in_decide_what_the_wish_said() -> None:
    chances = np.tile(np.stack([1 - SCORES, SCORES], axis=1), (20, 1))
    labels = np.tile(TRUTH.astype(int), 20)
    groups = [str(n) for n in range(labels.size)]
    limits, choice, reasons = choose_thresholds(
        chances,
        labels,
        groups,
        task="single-label",
        classes=["well", "ill"],
        wish=Wish(rule="sensitivity", value=0.76),
    )
    assert not reasons
    assert choice is not None
    assert (choice.rule, choice.wished, choice.positive) == ("sensitivity", 0.76, "ill")
    assert (choice.images, choice.groups) == (160, 160)
    held = decide(chances, task="single-label", classes=["well", "ill"], thresholds=limits)
    assert held[labels == 1, 1].mean() == 1.0
    assert held[labels == 0, 0].mean() == 0.5


def test_one_class_of_many_is_traded_against_the_rest() -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet([1.0] * 3, size=300)
    labels = (chances.cumsum(axis=1) < random.random((300, 1))).sum(axis=1)
    groups = [str(n) for n in range(300)]
    limits, _, _ = choose_thresholds(
        chances,
        labels,
        groups,
        task="single-label",
        classes=list("abc"),
        wish=Wish(rule="sensitivity", value=0.95, positive="b"),
    )
    held = decide(chances, task="single-label", classes=list("abc"), thresholds=limits)
    assert 0.95 <= held[labels == 1, 1].mean() < 0.97
    assert limits["a"] == limits["c"] == pytest.approx(1 - limits["b"])


def test_labels_each_have_theirs_and_those_without_evidence_keep_a_half() -> None:
    labels = np.tile(np.stack([TRUTH, np.full(8, np.nan)], axis=1).astype(float), (20, 1))
    chances = np.tile(np.stack([SCORES, SCORES], axis=1), (20, 1))
    groups = [str(n) for n in range(160)]
    limits, choice, reasons = choose_thresholds(
        chances,
        labels,
        groups,
        task="multi-label",
        classes=["x", "y"],
        wish=Wish(rule="sensitivity", value=0.76),
    )
    assert limits == {"x": pytest.approx(0.25), "y": 0.5}
    assert choice is not None
    assert "too few groups (0 groups with the class)" in reasons["thresholds.y"]


def test_few_groups_masks_and_no_wish_keep_the_most_probable_class() -> None:
    chances, labels = np.full((8, 2), 0.5), TRUTH.astype(int)
    common = {"groups": ["g"] * 8, "classes": ["a", "b"]}
    wish = Wish(rule="youden")
    few = choose_thresholds(chances, labels, task="single-label", wish=wish, **common)  # type: ignore[arg-type]
    assert few[:2] == ({}, None)
    assert "too few groups (1 group with" in few[2]["thresholds"]
    masks = choose_thresholds(chances, labels, task="segmentation", wish=wish, **common)  # type: ignore[arg-type]
    assert "each pixel" in masks[2]["thresholds"]
    assert choose_thresholds(
        chances,
        labels,
        task="single-label",
        wish=None,
        **common,  # type: ignore[arg-type]
    ) == ({}, None, {})


@pytest.mark.parametrize(
    "values",
    [
        {"rule": "youden", "value": 0.5},
        {"rule": "sensitivity"},
        {"rule": "sensitivity", "value": 1.0},
        {"rule": "cost", "value": 0.0},
    ],
)
def test_impossible_wishes_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"decide\.wished"):
        Wish(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("positive", [None, "d"])
def test_a_wish_among_many_classes_names_one_of_them(positive: str | None) -> None:
    with pytest.raises(RecipeError, match=r"decide\.positive.*Name one of a, b, c"):
        choose_thresholds(
            np.full((3, 3), 1 / 3),
            np.arange(3),
            ["1", "2", "3"],
            task="single-label",
            classes=list("abc"),
            wish=Wish(rule="youden", positive=positive),
        )
