from __future__ import annotations

import pytest

from medistill.evaluate.ages import age_band, is_age


@pytest.mark.parametrize(
    "column",
    [
        "age",
        "Age (years)",
        "AgeAtScan",
        "patient_age",
        "Patient's Age",
        "age_years",
        "age (months)",
    ],
)
def test_columns_of_ages_are_known_by_their_names(column: str) -> None:
    assert is_age(column)


@pytest.mark.parametrize(
    "column", ["image", "stage", "page", "bone age", "gestational age", "aged"]
)
def test_other_columns_are_not_taken_for_ages(column: str) -> None:
    assert not is_age(column)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("17", "under 18"),
        ("17.9", "under 18"),
        ("18", "18 to 39"),
        ("39,5", "18 to 39"),
        ("034Y", "18 to 39"),
        ("065Y", "65 and over"),
        ("011M", "under 18"),  # 11 months
        ("216M", "18 to 39"),  # 18 years
        ("003W", "under 18"),
        ("061D", "under 18"),
        ("61 years", "40 to 64"),
        ("61 yo", "40 to 64"),
        ("61 years old", "40 to 64"),
        ("65+", "65 and over"),
        ("90 years+", "65 and over"),
        (">64", "65 and over"),
        (">= 65", "65 and over"),
        ("<18", "under 18"),
        ("40-49", "40 to 64"),
        ("40 to 64", "40 to 64"),
    ],
)
def test_ages_are_read_as_they_are_written(text: str, band: str) -> None:
    assert age_band("age", text) == band


@pytest.mark.parametrize("text", ["", "n/a", "old", "1950", "-1", "50+", ">30", "<=18", "60-69"])
def test_what_is_no_age_or_lies_in_several_bands_is_none(text: str) -> None:
    assert age_band("age", text) is None


def test_the_column_says_the_unit_where_the_text_does_not() -> None:
    assert age_band("age (months)", "30") == "under 18"
    assert age_band("age (months)", "30 years") == "18 to 39"
