from __future__ import annotations

from typing import Any

from medistill.report.explained import Explained


def figure(value: float | None, n: int = 12) -> dict[str, Any]:
    reason = None if value is not None else "too few groups"
    return {"n": n, "estimate": value, "low": None, "high": None, "reason": reason}


def test_measures_become_lines_and_what_is_shared_sentences() -> None:
    measures = {"deletion": figure(0.4, 8), "insertion": figure(0.6, 8), "randomised": figure(0.1)}
    values = {
        "images": 12,
        "images_per_class": {"healthy": 7, "ill": 5},
        "areas_per_class": {"healthy": 4, "ill": 4},
        "models": {"student": {"Grad-CAM": measures}},
        "pointing_centre": figure(0.1),
        "agreement": figure(0.25),
        "note": "A note.",
    }
    explained = Explained(values=values)
    assert explained.table.columns == ("Student, Grad-CAM",)
    assert explained.table.caption == (
        "May the maps be believed? 12 evaluation images (healthy 7, ill 5); deletion and insertion "
        "on 8 of them (healthy 4, ill 4)"
    )
    assert [row[1][0].value for row in explained.table.rows] == ["0.400", "0.600", "0.100"]
    assert [row[0].rsplit(", ", 1)[1] for row in explained.table.rows] == [
        "n = 8",
        "n = 8",
        "n = 12",
    ]
    said = explained.sentences
    assert said[0] == "Pointing always at the middle of the image hits 0.100."
    assert "rank correlation of 0.250" in said[1]
    assert said[2] == "A note."


def test_models_whose_flat_maps_do_not_count_have_their_own_number() -> None:
    models = {
        role: {"roll-out": {"randomised": figure(0.1, n)}} for role, n in (("a", 9), ("b", 12))
    }
    counted = {"images_per_class": {"ill": 12}, "areas_per_class": {"ill": 12}}
    (row,) = Explained(values={"images": 12, **counted, "models": models}).table.rows
    assert row[0].endswith("under shuffled weights (should be near 0), n = 9 to 12")


def test_a_teacher_of_several_members_is_headed_by_the_one_that_was_explained() -> None:
    models = {role: {"roll-out": {"randomised": figure(0.1)}} for role in ("teacher", "student")}
    counted = {"images_per_class": {"ill": 12}, "areas_per_class": {"ill": 12}}
    titles = {"teacher": "teacher (first of 5 members)", "student": "student"}
    values = {"images": 12, **counted, "models": models, "titles": titles}
    explained = Explained(values={**values, "agreement": figure(0.25)})
    assert explained.table.columns == (
        "Teacher (first of 5 members), roll-out",
        "Student, roll-out",
    )
    assert explained.sentences == [
        "Teacher (first of 5 members) and student look at the same places with a rank correlation "
        "of 0.250."
    ]
