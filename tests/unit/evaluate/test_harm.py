from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.harm import Hurt, harm
from medistill.evaluate.harm_words import in_words
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import score
from medistill.evaluate.subgroups import Subgroup

CLASSES = ["well", "ill"]


def table(right: np.ndarray, labels: np.ndarray) -> Predictions:
    """Predictions that are right exactly where asked; one image a group."""
    called = np.where(right, labels, 1 - labels)
    chances = np.where(called[:, None] == np.arange(2), 0.9, 0.1)
    names = [str(n) for n in range(labels.size)]
    return Predictions(names=names, groups=names, labels=labels, probabilities=chances)


def compared(
    student: Predictions,
    others: dict[str, Predictions],
    parts: Sequence[Subgroup] = (),
    word: str = "patient",
    seed: int = 0,
) -> list[Hurt]:
    """Everything that is asked of these tables."""
    drawn = draw_resamples(student, resamples=2000, seed=seed)
    first, *rest = score([student, *others.values()], drawn)
    against = dict(zip(others, rest, strict=True))
    return harm(first, against, classes=CLASSES, parts=parts, word=word, seed=seed)


LABELS = np.arange(200) % 2
ALL = np.ones(200, dtype=bool)


def test_the_class_that_is_served_worse_is_named_first_in_words() -> None:
    hurt = ~((LABELS == 1) & (np.arange(200) < 60))  # 30 of 100 ill are missed
    found = compared(table(hurt, LABELS), {"teacher": table(ALL, LABELS)})
    assert (found[0].name, found[0].verdict) == ("ill", "worse")
    assert found[0].difference.estimate == pytest.approx(-0.3)
    (first, second), _ = in_words(found)
    assert "AUROC against the rest" in second
    assert first.startswith(
        "The student serves the class 'ill' worse than the teacher: sensitivity at the most "
        "probable class 0.700"
    )
    assert "0.700 against 1.000" in first
    assert "corrected over 3 comparisons" in first
    json.dumps([each.to_json() for each in found], allow_nan=False)


def test_a_class_that_is_never_recognised_any_more_is_served_worse() -> None:
    # Every patient of the class is lost, so every resample gives the same difference.
    found = compared(table(LABELS == 0, LABELS), {"control": table(ALL, LABELS)})
    lost = next(each for each in found if (each.name, each.metric) == ("ill", "sensitivity"))
    assert (lost.student, lost.against, lost.verdict) == (0.0, 1.0, "worse")
    # 100 of 100 patients: surely at least .025^(1/100) = .9638 of all; the others could gain 1.
    assert (lost.difference.low, lost.difference.high) == (
        -1.0,
        pytest.approx(1 - 2 * 0.96378, abs=1e-4),
    )
    worse, _ = in_words(found)
    assert any("difference of -1.000 (95 % interval -1.000 to -0.928, p" in each for each in worse)


def test_the_collapse_of_a_class_is_found_under_holm_with_ten_patients_and_not_with_luck() -> None:
    few = np.r_[np.zeros(40, dtype=np.int64), np.ones(10, dtype=np.int64)]
    right = np.ones(50, dtype=bool)
    found = compared(table(few == 0, few), {"control": table(right, few)})
    assert {each.verdict for each in found if each.name == "ill"} == {"worse"}
    # One patient of ten says nothing: p = 1.
    one = right & (np.arange(50) != 49)
    found = compared(table(one, few), {"control": table(right, few)})
    assert {each.verdict for each in found} == {"undecided"}


def test_a_subgroup_that_is_served_worse_is_found() -> None:
    men = Subgroup(column="sex", value="M", rows=np.arange(100, 200))
    women = Subgroup(column="sex", value="F", rows=np.arange(100))
    hurt = ~((np.arange(200) >= 100) & (np.arange(200) % 5 == 0))
    found = compared(table(hurt, LABELS), {"control": table(ALL, LABELS)}, [men, women])
    worse = [each.name for each in found if each.verdict == "worse"]
    assert "sex M" in worse
    assert "sex F" not in worse


def test_nothing_is_found_where_there_is_nothing_and_small_parts_are_named() -> None:
    few = Subgroup(column="site", value="B", rows=np.arange(5))
    one_sided = Subgroup(column="site", value="C", rows=np.flatnonzero(LABELS == 1)[:40])
    found = compared(table(ALL, LABELS), {"control": table(ALL, LABELS)}, [few, one_sided])
    worse, said = in_words(found)
    assert not worse
    assert said[0].startswith("No class or subgroup is shown to be served worse")
    assert said[1] == (
        "Not tested for harm: site B (too few groups, 5); site C by AUROC (too few images of one "
        "kind, 40 of 'ill' and 0 others)."
    )


def test_accuracy_of_a_one_sided_subgroup_is_tested_all_the_same() -> None:
    ill = Subgroup(column="site", value="C", rows=np.flatnonzero(LABELS == 1)[:40])
    hurt = ~np.isin(np.arange(200), ill.rows[:20])
    found = compared(table(hurt, LABELS), {"control": table(ALL, LABELS)}, [ill])
    verdicts = {each.metric: each.verdict for each in found if each.name == "site C"}
    assert verdicts == {"accuracy": "worse", "auroc": "not tested"}


def test_subgroups_are_spoken_of_only_where_one_was_tested() -> None:
    half = Subgroup(column="sex", value="F", rows=np.arange(100))
    found = compared(table(ALL, LABELS), {"control": table(ALL, LABELS)}, [half])
    assert in_words(found)[1][0].startswith("No class or subgroup is shown to be served worse")


def test_chance_rarely_looks_like_harm() -> None:
    random, false = np.random.default_rng(0), 0
    for seed in range(30):
        pair = [table(random.random(200) < 0.8, LABELS) for _ in range(2)]
        found = compared(pair[0], {"control": pair[1]}, seed=seed)
        false += any(each.verdict in ("worse", "better") for each in found)
    assert false <= 5  # at most 1.5 expected; more than 5 has a chance of .004


def test_without_another_model_there_is_nothing_to_say() -> None:
    assert in_words(compared(table(ALL, LABELS), {}, word="image")) == ([], [])


def test_an_absent_class_is_named_and_not_tested() -> None:
    labels = np.zeros(40, dtype=np.int64)
    right = np.ones(40, dtype=bool)
    found = compared(table(right, labels), {"teacher": table(right, labels)})
    assert {each.name: each.reason for each in found}["ill"] == "too few groups, 0"
