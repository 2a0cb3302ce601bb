"""Parts of the images in which a student may have got worse: by sex, age, site, device ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST_VALUES = 12
AGE_BANDS = (
    (0, 18, "under 18"),
    (18, 40, "18 to 39"),
    (40, 65, "40 to 64"),
    (65, 200, "65 and over"),
)
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, eq=False)
class Subgroup:
    """Some of the images.

    Attributes:
        column: of the table that it comes from, for example ``sex``.
        value: for example ``F``.
        rows: row numbers.
    """

    column: str
    value: str
    rows: np.ndarray

    @property
    def name(self) -> str:
        """For example ``sex F``."""
        return f"{self.column} {self.value}"


def subgroups(attributes: Sequence[Mapping[str, str]]) -> list[Subgroup]:
    """All subgroups that further columns of the table make.

    A column called ``age`` is cut into bands of years; other columns count where they have 2 to
    12 values (patient numbers, dates and file names do not). Missing values are one subgroup.

    Args:
        attributes: of each image, by column.
    """
    columns = list(dict.fromkeys(name for each in attributes for name in each))
    found = []
    for column in columns:
        values = [_value(column, each.get(column, "")) for each in attributes]
        kinds = sorted(set(values))
        if 2 <= len(kinds) <= MOST_VALUES:
            marks = np.asarray(values)
            found += [
                Subgroup(column=column, value=kind, rows=np.flatnonzero(marks == kind))
                for kind in kinds
            ]
    return found


def _value(column: str, text: str) -> str:
    stripped = text.strip()
    if column.lower() not in {"age", "patient age", "patient_age", "age_years"}:
        return stripped or UNKNOWN
    try:
        years = float(stripped.removesuffix("Y"))
    except ValueError:
        return UNKNOWN
    return next((name for low, high, name in AGE_BANDS if low <= years < high), UNKNOWN)
