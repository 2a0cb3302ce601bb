"""Ages as tables and DICOM files write them, cut into bands of years."""

from __future__ import annotations

import re

AGE_BANDS = (
    (0, 18, "under 18"),
    (18, 40, "18 to 39"),
    (40, 65, "40 to 64"),
    (65, 200, "65 and over"),
)
_OLDEST = 199.0
_PER_YEAR = {"y": 1.0, "m": 12.0, "w": 365.25 / 7, "d": 365.25}
_UNIT = r"(?P<unit>y|yo|yrs?|years?|m|mos?|mths?|months?|w|wks?|weeks?|d|days?)"
_COLUMN = re.compile(
    r"(patients?|subjects?|participants?)?age"
    r"(at)?(scan|study|exam|examination|diagnosis|imaging|acquisition|visit|baseline|enrolment)?"
    r"(in)?(?P<unit>y|yrs?|years?|mos?|mths?|months?|weeks?|days?)?"
)
_NUMBER = r"\d+(?:[.,]\d+)?"
_VALUE = re.compile(
    rf"(?P<sign>[<>]=?|[≤≥])?\s*(?P<low>{_NUMBER})\s*(?:(?:-|–|to)\s*(?P<high>{_NUMBER}))?"
    rf"\s*(?P<plus>\+)?\s*{_UNIT}?\s*(?P<more>\+)?(?:\s*old)?",
)


def is_age(column: str) -> bool:
    """Whether a column holds the age of a patient, by its name: ``Age (years)``, ``AgeAtScan``."""
    return _COLUMN.fullmatch(_letters(column)) is not None


def age_band(column: str, text: str) -> str | None:
    """The band of an age, or None where the text is no age or may lie in several bands.

    Args:
        column: its name, which may say the unit; years if neither it nor the text does.
        text: for example ``61``, ``034Y``, ``011M``, ``61 years``, ``65+``, ``<18``, ``40-49``.
    """
    named, found = _COLUMN.fullmatch(_letters(column)), _VALUE.fullmatch(text.strip().lower())
    if found is None:
        return None
    unit = found["unit"] or (named["unit"] if named else None) or "y"
    low, high = _ends(found, _PER_YEAR[unit[0]])
    return next((name for start, end, name in AGE_BANDS if start <= low <= high < end), None)


def _ends(found: re.Match[str], per_year: float) -> tuple[float, float]:
    """The youngest and the oldest that a text can mean, in years."""
    first, last = (float((found[key] or found["low"]).replace(",", ".")) for key in ("low", "high"))
    low, high, sign = first / per_year, last / per_year, found["sign"]
    if sign in ("<", "<=", "≤"):
        return 0.0, high if sign != "<" else max(0.0, high - 1e-9)
    if sign == ">":  # ages are counted whole
        return (first + 1) / per_year, _OLDEST
    return low, _OLDEST if sign or found["plus"] or found["more"] else high


def _letters(column: str) -> str:
    return re.sub(r"[^a-z]", "", column.lower())
