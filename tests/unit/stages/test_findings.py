from __future__ import annotations

from typing import Any

from medistill.stages.findings import findings_of

ANSWER = {
    "opening": None,
    "harm": ["The student serves the class 'a' worse."],
    "for_file": "For this file.",
    "for_method": "For this method.",
    "standing": "The student's AUROC is 0.9.",
    "shipped": None,
    "no_harm": ["Not tested."],
}


def rate(estimate: float | None, low: float | None = None, high: float | None = None) -> Any:
    return {"estimate": estimate, "low": low, "high": high, "reason": "too few groups (4)"}


RATES = {"sensitivity": rate(0.9, 0.8, 0.95), "specificity": rate(0.7)}


def metrics(folds: int = 1, **student: Any) -> dict[str, Any]:
    return {
        "answer": ANSWER,
        "provenance": {"start": {"student": "random weights"}},
        "counts": {"folds": folds},
        "models": {"student": {"per_class": {"b": RATES}}},
        "decisions": {"student": student} if student else {},
    }


def test_who_is_served_worse_comes_first_and_what_is_missing_is_left_out() -> None:
    assert findings_of(metrics()) == (
        "The student serves the class 'a' worse.",
        "For this file.",
        "For this method.",
        "The student's AUROC is 0.9.",
        "Not tested.",
        "The student's training began from random weights.",
    )


def test_the_named_class_has_its_rates_at_the_shipped_threshold_or_at_the_most_probable() -> None:
    said = "sensitivity 0.900 (95 % interval 0.800 to 0.950), specificity 0.700 (no interval: too "
    point = {"class": "b", "shipped": True, "confusion": {}, **RATES}
    other = {**point, "shipped": False}
    found = findings_of(metrics(positive="b", operating=[point, other]))
    assert [s for s in found if "'b'" in s] == [f"At the threshold for 'b': {said}few groups (4))."]
    refused = {"class": "b", "shipped": True, "reason": "too few groups"}
    found = findings_of(metrics(positive="b", operating=[refused, other], folds=5))
    assert [s for s in found if "'b'" in s] == [
        "Of 'b', at the most probable class, over the students of all 5 folds: "
        f"{said}few groups (4))."
    ]


def test_a_rate_that_does_not_exist_says_why() -> None:
    point = {"class": "c", "shipped": True, "confusion": {}, **dict.fromkeys(RATES, rate(None))}
    found = findings_of(metrics(positive=None, operating=[point]))
    assert "At the threshold for 'c': sensitivity unknown (too few groups (4)), specificity" in (
        " ".join(found)
    )
