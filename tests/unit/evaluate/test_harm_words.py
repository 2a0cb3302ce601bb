from __future__ import annotations

from dataclasses import replace

from medistill.evaluate.harm import Hurt
from medistill.evaluate.harm_words import in_words
from medistill.evaluate.intervals import Estimate

SEEN = Hurt(
    other="teacher",
    kind="class",
    name="ill",
    metric="sensitivity",
    title="sensitivity at the most probable class",
    student=0.9,
    against=0.9,
    difference=Estimate(estimate=0.0, low=-0.1, high=0.1),
    p=1.0,
    corrected=1.0,
    verdict="undecided",
)
RANKED = replace(SEEN, metric="class_auroc", title="AUROC against the rest")
LOST = replace(
    SEEN,
    student=0.1,
    against=0.9,
    difference=Estimate(estimate=-0.8, low=-0.9, high=-0.7),
    p=0.001,
    corrected=0.001,
    verdict="worse",
)


def test_only_models_that_were_there_are_named_and_the_point_that_they_are_judged_at() -> None:
    by = "by sensitivity at the most probable class or AUROC against the rest"
    assert in_words([SEEN, RANKED]) == (
        [],
        [
            f"No class is shown to be served worse than by the teacher, {by} (2 comparisons, "
            "corrected together)."
        ],
    )
    other = replace(SEEN, other="control", kind="subgroup")
    (sentence,) = in_words([SEEN, RANKED, other])[1]
    assert sentence.startswith("No class or subgroup is shown to be served worse than by the ")
    assert f"than by the teacher or the control, {by} (3 comparisons" in sentence


def test_who_is_served_worse_is_said_with_the_interval_or_why_there_is_none() -> None:
    (sentence,), rest = in_words([LOST, SEEN])
    assert sentence == (
        "The student serves the class 'ill' worse than the teacher: sensitivity at the most "
        "probable class 0.100 against 0.900, a difference of -0.800 (95 % interval -0.900 to "
        "-0.700, p = 0.001 corrected over 2 comparisons)."
    )
    assert not rest
    bare = replace(LOST, difference=Estimate(estimate=-0.8, reason="there is no spread"))
    (sentence,), _ = in_words([bare])
    assert "(no interval: there is no spread, p = 0.001 corrected" in sentence


def test_what_was_not_tested_is_named_with_the_reason_and_the_metric_if_only_that() -> None:
    silent = replace(RANKED, p=None, corrected=None, verdict="not tested", reason="too few")
    assert in_words([SEEN, silent])[1][1:] == [
        "Not tested for harm: ill by AUROC against the rest (too few)."
    ]
    assert in_words([silent])[1] == ["Not tested for harm: ill (too few)."]


def test_columns_that_make_no_subgroups_are_named() -> None:
    assert in_words([], left_out=["visit (14 values)", "file (300 values)"])[1] == [
        "Columns or values that make no subgroups, not tested for harm: visit (14 values), "
        "file (300 values)."
    ]
