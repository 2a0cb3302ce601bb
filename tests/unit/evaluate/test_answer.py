from __future__ import annotations

import pytest

from medistill.evaluate.answer import (
    NO_CONTROL,
    Evidence,
    answer_for_file,
    answer_for_method,
    cost,
    opening,
    shipped,
    standing,
    with_caveats,
)
from medistill.evaluate.difference import Difference, SeedsDifference
from medistill.evaluate.intervals import Estimate
from medistill.evaluate.metrics import METRICS

AUROC = METRICS["auroc"]
EVIDENCE = Evidence(images=746, groups=218, word="article")
SIZES = {"teacher": {"latency_ms": 12.0}, "student": {"latency_ms": 15.04}}


def gain(estimate, low, high, verdict, **rest):
    return Difference(estimate=estimate, low=low, high=high, verdict=verdict, **rest)


def file(difference, metric=AUROC):
    return answer_for_file(difference, metric=metric, evidence=EVIDENCE)


def test_raised():
    assert file(gain(0.041, 0.012, 0.070, "better")) == (
        "For this file, distilling raised AUROC by 0.041 (95 % interval 0.012 to 0.070, "
        "218 articles)."
    )


def test_lowered():
    assert file(gain(-0.041, -0.070, -0.012, "worse")) == (
        "For this file, distilling lowered AUROC by 0.041 (95 % interval 0.012 to 0.070, "
        "218 articles)."
    )


def test_undecided():
    assert file(gain(0.01, -0.02, 0.04, "undecided")) == (
        "For this file, distilling made no difference that this data can show: AUROC changed by "
        "+0.010 (95 % interval -0.020 to 0.040, 218 articles)."
    )


def test_no_interval_and_no_control():
    few = gain(0.01, None, None, "unknown", reason="too few groups (7 articles)")
    assert file(few) == (
        "For this file, the data cannot say whether distilling helped: AUROC has no interval; "
        "too few groups (7 articles)."
    )
    assert file(None) == NO_CONTROL


def test_lower_is_better_is_said():
    sentence = file(gain(-0.2, -0.3, -0.1, "better"), METRICS["log_loss"])
    assert sentence.startswith("For this file, distilling lowered log loss by 0.200")
    assert "lower is better" in sentence


def test_never_says_patient_of_other_groups():
    assert "patient" not in file(gain(0.041, 0.012, 0.070, "better"))
    clusters = Evidence(images=9, groups=1, word="near-duplicate cluster")
    sentence = answer_for_file(gain(0.1, 0.05, 0.15, "better"), metric=AUROC, evidence=clusters)
    assert "1 near-duplicate cluster)" in sentence


def method(seeds, verdict="better"):
    return SeedsDifference(
        estimate=0.03, low=0.01, high=0.05, verdict=verdict, seeds=seeds, values=(0.03,) * seeds
    )


@pytest.mark.parametrize(("seeds", "count"), [(1, "is one"), (3, "are 3")])
def test_method_is_not_established_below_five_seeds(seeds, count):
    sentence = answer_for_method(method(seeds), metric=AUROC, evidence=EVIDENCE)
    assert sentence == (
        "For this method: not established; that takes at least 5 training seeds, and there "
        f"{count}."
    )


def test_method_with_five_seeds_and_without_control():
    sentence = answer_for_method(method(5), metric=AUROC, evidence=EVIDENCE)
    assert sentence == (
        "For this method, distilling raised AUROC by 0.030 (95 % interval 0.010 to 0.050, "
        "218 articles, 5 training seeds)."
    )
    nothing = answer_for_method(None, metric=AUROC, evidence=EVIDENCE)
    assert nothing == "For this method: not established, since there is no control."


def test_with_folds_no_sentence_is_about_one_file():
    folds = Evidence(images=746, groups=218, word="article", folds=5)
    sentence = answer_for_file(gain(0.041, 0.012, 0.070, "better"), metric=AUROC, evidence=folds)
    assert sentence == (
        "For the 5 students of this seed, one a fold, distilling raised AUROC by 0.041 (95 % "
        "interval 0.012 to 0.070, 218 articles)."
    )
    sure = Estimate(estimate=0.874, low=0.83, high=0.91)
    assert standing(sure, metric=AUROC, evidence=folds).startswith(
        "The AUROC of the 5 students of this seed, one a fold, is 0.874 (95 % interval 0.830 to "
    )
    assert folds.serves == "5 students of this seed, one a fold, serve"
    assert EVIDENCE.serves == "student serves"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (Estimate(estimate=0.9, low=0.8, high=0.95), "0.900 (95 % interval 0.800 to 0.950)."),
        (Estimate(estimate=0.9, reason="too few groups"), "0.900 (no interval: too few groups)."),
        (Estimate(estimate=None, reason="a class is absent"), "undefined: a class is absent."),
    ],
)
def test_of_folds_the_shipped_file_has_a_figure_of_its_own(own, said):
    assert shipped(own, metric=AUROC, images=150, folds=5) == (
        "The shipped file is that of the first of 5 folds; on its own 150 evaluation images its "
        f"AUROC is {said}"
    )


def open_with(verdict, sizes=SIZES, teacher=0.9):
    return opening(
        teacher=None if teacher is None else Estimate(estimate=teacher),
        student=Estimate(estimate=0.89),
        student_minus_teacher=gain(-0.01, -0.02, 0.01, verdict),
        metric=AUROC,
        sizes=sizes,
    )


def test_opens_with_a_teacher_that_is_not_shown_to_be_worse_and_is_no_slower():
    assert open_with("undecided") == (
        "The student is not shown to be better than its teacher (difference -0.010, 95 % interval "
        "-0.020 to 0.010; AUROC 0.900 against 0.890), and the teacher is no slower (12.0 ms "
        "against 15.0 ms an image): use the teacher."
    )
    assert open_with("worse") == (
        "Use the teacher: it is better than the student (AUROC 0.900 against 0.890) and no slower "
        "(12.0 ms against 15.0 ms an image)."
    )


def test_opens_with_all_members_of_a_teacher():
    sizes = {**SIZES, "teacher": {"latency_ms": 12.0, "members": 5}}
    assert "and the teacher (all 5 members) is no slower" in open_with("undecided", sizes=sizes)
    assert open_with("worse", sizes=sizes).startswith("Use the teacher (all 5 members): it is")
    alone = {**SIZES, "teacher": {"latency_ms": 12.0, "members": 1}}
    assert "and the teacher is no slower" in open_with("undecided", sizes=alone)


def test_does_not_open_otherwise():
    slow = {"teacher": {"latency_ms": 20.0}, "student": {"latency_ms": 15.0}}
    assert open_with("better") is None
    assert open_with("unknown") is None
    assert open_with("undecided", sizes=slow) is None
    assert open_with("undecided", sizes={"student": {"latency_ms": 15.0}}) is None
    assert open_with("undecided", teacher=None) is None


PAIR = {
    "student": {"parameters": 460_322, "latency_ms": 3.84, "runtime": "onnxruntime, 1 thread"},
    "teacher": {"parameters": 3_373_570, "latency_ms": 20.1, "runtime": "onnxruntime, 1 thread"},
}


def test_a_smaller_and_faster_student_is_said_to_be():
    assert cost(PAIR) == (
        "The student has 460,322 parameters and takes 3.84 ms an image; its teacher has "
        "3,373,570 and takes 20.1 ms (onnxruntime, 1 thread)."
    )


def test_the_cost_of_several_members_is_called_so():
    teacher = {**PAIR["teacher"], "members": 5}
    said = cost({**PAIR, "teacher": teacher})
    assert "its teacher (all 5 members) has 3,373,570 and takes" in said


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ({"parameters": 3_373_570}, "is not smaller than its teacher: it has 3,373,570"),
        ({"latency_ms": 30.0}, "is not faster than its teacher: it has 460,322"),
        ({"parameters": 9_000_000, "latency_ms": 30.0}, "is not smaller and not faster than"),
    ],
)
def test_a_student_that_costs_no_less_is_called_so(student, said):
    assert said in cost({**PAIR, "student": {**PAIR["student"], **student}})


def test_without_both_measurements_nothing_is_said_of_cost():
    assert cost({}) is None
    assert cost({"student": PAIR["student"]}) is None


def test_standing():
    sure = Estimate(estimate=0.874, low=0.83, high=0.91)
    assert standing(sure, metric=AUROC, evidence=EVIDENCE) == (
        "The student's AUROC is 0.874 (95 % interval 0.830 to 0.910) on 746 images from "
        "218 articles."
    )
    images = Evidence(images=50, groups=50, word="image")
    assert standing(sure, metric=AUROC, evidence=images).endswith("on 50 images.")
    few = Estimate(estimate=0.8, reason="too few groups (3 articles)")
    sentence = standing(few, metric=AUROC, evidence=EVIDENCE)
    assert "(no interval: too few groups (3 articles))" in sentence
    none = Estimate(estimate=None, reason="a class is absent")
    assert "undefined here: a class is absent" in standing(none, metric=AUROC, evidence=EVIDENCE)


def test_caveats_stay_attached():
    full = with_caveats("It helped.", ["patient leakage cannot be excluded", "Small set."])
    assert full == "It helped. Patient leakage cannot be excluded. Small set."
