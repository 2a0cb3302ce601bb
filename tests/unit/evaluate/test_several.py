from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.evaluate.holm import holm
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.several import compare_models
from medistill.evaluate.subgroups import Subgroup

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


def by_chance(seed: int) -> Predictions:
    """One of many models that are equally good on the same images."""
    labels = np.arange(120) % 2
    odds = 1.5 * (labels - 0.5) + np.random.default_rng(seed).normal(size=120)
    chances = np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)
    names = [str(n) for n in range(120)]
    return Predictions(names=names, groups=names, labels=labels, probabilities=chances)


def test_an_interval_that_leaves_out_0_by_chance_is_no_verdict_among_many_pairs() -> None:
    models = {
        str(n): {"student": [by_chance(1800 + n)], "control": [by_chance(1850 + n)]}
        for n in range(6)
    }
    found = compare_models(models, **QUICK)["differences"]
    cells = [row["overall"]["average_precision"] for row in found]
    assert len(cells) == 11
    assert any(cell["low"] > 0 or cell["high"] < 0 for cell in cells)
    assert all(cell["p"] is None for cell in cells)
    assert {cell["verdict"] for cell in cells} == {"undecided"}
    assert [cell["corrected"] for cell in cells] == holm([cell["interval_p"] for cell in cells])


def test_average_precision_that_is_surely_lower_stays_a_verdict(simulate: Simulate) -> None:
    pair = {"student": [simulate(skill=0.2)], "control": [simulate(skill=3.0)]}
    found = compare_models({"one": pair, "two": pair}, **QUICK)["differences"]
    cells = [row["overall"]["average_precision"] for row in found]
    assert [cell["verdict"] for cell in cells] == ["worse", "worse", "unknown"]
    assert cells[0]["corrected"] < 0.05


def test_runs_on_different_images_are_refused_and_the_images_named(simulate: Simulate) -> None:
    other = simulate(images=121)
    with pytest.raises(DataError, match=r"two student 0: was evaluated on other images .*i120"):
        compare_models({"one": {"student": [simulate()]}, "two": {"student": [other]}}, **QUICK)


LABELS = np.arange(200) % 2
WOMEN = Subgroup(column="sex", value="F", rows=np.arange(100))
MEN = Subgroup(column="sex", value="M", rows=np.arange(100, 200))


def right_where(held: np.ndarray) -> Predictions:
    """Predictions that are right exactly where asked; one image a group."""
    called = np.where(held, LABELS, 1 - LABELS)
    chances = np.where(called[:, None] == np.arange(2), 0.9, 0.1)
    names = [str(n) for n in range(LABELS.size)]
    return Predictions(names=names, groups=names, labels=LABELS, probabilities=chances)


ALL = np.ones(200, dtype=bool)
NO_MEN = ~((np.arange(200) >= 100) & (np.arange(200) % 5 == 0))
HARMED = {
    "good": {"student": [right_where(ALL)], "control": [right_where(ALL)]},
    "bad": {"student": [right_where(NO_MEN)], "control": [right_where(ALL)]},
}


def test_a_subgroup_that_one_run_serves_worse_is_named_and_all_runs_are_one_family() -> None:
    found = compare_models(HARMED, parts={"good": [WOMEN, MEN]}, **QUICK)
    json.dumps(found, allow_nan=False)
    said = (
        "bad: The student serves the subgroup 'sex M' worse than the control: accuracy at the most "
        "probable class 0.800"
    )
    assert any(sentence.startswith(said) for sentence in found["harm"])
    assert not any("sex F" in sentence or "good:" in sentence for sentence in found["harm"])
    # Two runs against a control each: 3 figures of the classes and 2 of either sex.
    assert all("corrected over 14 comparisons" in sentence for sentence in found["harm"])
    assert "good: No class or subgroup is shown to be served worse" in found["notes"][0]
    assert "(14 comparisons, corrected together)" in found["notes"][0]
    each = [row for rows in found["compared"].values() for row in rows]
    assert [row["corrected"] for row in each] == holm([row["p"] for row in each])


def test_harm_is_still_seen_where_very_many_runs_are_compared() -> None:
    # 10,000 exchanges alone could show nothing in a family of more than 500 comparisons.
    plenty = [Subgroup(column="site", value=str(n), rows=np.arange(100, 200)) for n in range(260)]
    found = compare_models(
        {"bad": HARMED["bad"]}, parts={"bad": plenty}, **{**QUICK, "resamples": 60}
    )
    assert sum("site" in sentence for sentence in found["harm"]) >= 260
    assert "corrected over 523 comparisons" in found["harm"][0]


def test_where_no_subgroup_was_tested_only_the_classes_are_spoken_of() -> None:
    few = [Subgroup(column="site", value="B", rows=np.arange(5))]
    for parts in ({}, {"good": few}):
        notes = compare_models({"good": HARMED["good"]}, parts=parts, **QUICK)["notes"]
        assert notes[0].startswith("No class is shown to be served worse")


def test_columns_that_make_no_subgroups_and_columns_of_some_runs_are_named() -> None:
    site = [Subgroup(column="site", value=v, rows=np.arange(200)[n::2]) for n, v in enumerate("AB")]
    parts = {"good": [WOMEN, MEN, *site], "bad": [WOMEN, MEN]}
    notes = compare_models(HARMED, parts=parts, left_out=["visit (14 values)"], **QUICK)["notes"]
    assert notes[-2:] == [
        "Columns or values that make no subgroups, not tested for harm: visit (14 values).",
        "The column 'site' is in the table of good alone and was taken for all runs, whose images "
        "are the same.",
    ]
    notes = compare_models(HARMED, parts=dict.fromkeys(HARMED, [WOMEN, MEN]), **QUICK)["notes"]
    assert not any("column" in note.lower() for note in notes)


def test_runs_that_know_other_things_of_the_same_images_are_refused() -> None:
    other = Subgroup(column="sex", value="F", rows=np.arange(99))
    with pytest.raises(DataError, match="bad: has other values in the column 'sex' than good"):
        compare_models(HARMED, parts={"good": [WOMEN, MEN], "bad": [other, MEN]}, **QUICK)
