from __future__ import annotations

import numpy as np
import pytest

from medistill.bundle.conformal import class_sets, label_sets
from medistill.evaluate.conformal import fit_conformal, quantile

CLASSES = ("a", "b", "c")


def drawn(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a poor model, and labels."""
    labels = random.integers(0, 3, count)
    logits = random.normal(size=(count, 3)) + 1.5 * np.eye(3)[labels]
    raised = np.exp(2.5 * logits)  # far too sure of itself
    return raised / raised.sum(axis=1, keepdims=True), labels


def own_groups(count: int) -> list[str]:
    return [str(n) for n in range(count)]


def test_the_quantile_is_an_order_statistic() -> None:
    scores = np.arange(1, 10) / 10
    assert quantile(scores, 0.9) == pytest.approx(0.9)  # ceil(10 x .9) = 9th of 9
    assert quantile(scores, 0.5) == pytest.approx(0.5)
    assert quantile(np.arange(1, 20) / 20, 0.95) == pytest.approx(0.95)  # 19th of 19


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_every_class_is_covered_as_promised(level: float) -> None:
    random, held = np.random.default_rng(0), np.zeros(3)
    for _ in range(200):
        chances, labels = drawn(180, random)
        fitted, _ = fit_conformal(
            chances, labels, own_groups(180), level=level, task="single-label", classes=CLASSES
        )
        assert fitted is not None
        chances, labels = drawn(300, random)
        sets = class_sets(chances, fitted, CLASSES)
        held += [sets[labels == c, c].mean() for c in range(3)]
    # Exact: between level and level + 1 / (n + 1), n about 60; 200 repetitions.
    assert (held / 200 > level - 0.01).all()
    assert (held / 200 < level + 1 / 60 + 0.012).all()


def test_copies_within_a_group_change_the_promise_no_more_than_its_draw() -> None:
    chances, labels = drawn(60, np.random.default_rng(0))
    alone, _ = fit_conformal(
        chances, labels, own_groups(60), level=0.9, task="single-label", classes=CLASSES
    )
    copied, _ = fit_conformal(
        np.repeat(chances, 5, axis=0),
        np.repeat(labels, 5),
        np.repeat(own_groups(60), 5).tolist(),
        level=0.9,
        task="single-label",
        classes=CLASSES,
    )
    assert alone is not None
    assert copied == alone


@pytest.mark.parametrize(("level", "enough"), [(0.9, 9), (0.95, 19)])
def test_too_few_groups_of_one_class_refuse_all_sets(level: float, enough: int) -> None:
    labels = np.array([0] * 40 + [1] * 40 + [2] * enough)
    chances = np.full((labels.size, 3), 1 / 3)
    given, reasons = fit_conformal(
        chances, labels, own_groups(labels.size), level=level, task="single-label", classes=CLASSES
    )
    assert given is not None
    assert not reasons
    given, reasons = fit_conformal(
        chances[:-1],
        labels[:-1],
        own_groups(labels.size - 1),
        level=level,
        task="single-label",
        classes=CLASSES,
        word="patient",
    )
    assert given is None
    assert f"too few groups ({enough - 1} patients of 'c'; " in reasons["conformal"]


def test_labels_are_covered_present_and_absent() -> None:
    random, held = np.random.default_rng(1), []
    for _ in range(100):
        labels = (random.random((400, 2)) < 0.3).astype(float)
        labels[:, 1] = np.nan
        chances = 1 / (1 + np.exp(-(random.normal(size=(400, 2)) + 2 * np.nan_to_num(labels) - 1)))
        fitted, reasons = fit_conformal(
            chances[:200],
            labels[:200],
            own_groups(200),
            level=0.9,
            task="multi-label",
            classes="xy",
        )
        assert fitted is not None
        assert "0 groups of 'present'" in reasons["conformal.y"]
        sets = label_sets(chances[200:], fitted, ("x", "y"))[:, 0]
        truth = labels[200:, 0] == 1
        held.append([sets[truth, 0].mean(), sets[~truth, 1].mean()])
        assert label_sets(chances, fitted, ("x", "y"))[:, 1].all()
    assert np.abs(np.mean(held, axis=0) - 0.91).max() < 0.02


def test_masks_and_labels_without_any_truth_are_refused() -> None:
    masks = np.zeros((2, 2, 4, 4))
    _, reasons = fit_conformal(
        masks, np.zeros((2, 4, 4)), ["1", "2"], level=0.9, task="segmentation", classes="ab"
    )
    assert "not independent" in reasons["conformal"]
    found, reasons = fit_conformal(
        np.full((3, 1), 0.5),
        np.full((3, 1), np.nan),
        "abc",
        level=0.9,
        task="multi-label",
        classes="x",
    )
    assert found is None
    assert reasons["conformal"] == "every label has too few groups"
