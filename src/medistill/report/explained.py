"""What the section on explanation is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medistill.report.decision_tables import Grid
from medistill.report.pictures import Picture
from medistill.report.tables import Cell
from medistill.report.values import interval, number

_MEASURES = {
    "deletion": "Deletion area (lower is better)",
    "deletion_random": "Deletion area of random numbers",
    "insertion": "Insertion area (higher is better)",
    "insertion_random": "Insertion area of random numbers",
    "randomised": "Agreement with the same map under shuffled weights (should be near 0)",
    "pointing": "Pointing game: the map's peak lies in the lesion",
    "pointing_randomised": "Pointing game under shuffled weights",
}


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Where the models look.

    Attributes:
        values: for each role and method the sanity measures, each with an interval; under
            ``pointing_centre`` and ``pointing_chance`` what pointing at the middle or anywhere
            hits; under ``agreement`` teacher and student; ``images`` how many were used.
        sheet: rows of pictures: the image, then one overlay a model and method.
    """

    values: Mapping[str, Any]
    sheet: tuple[tuple[Picture, ...], ...] = field(default_factory=tuple)

    @property
    def table(self) -> Grid:
        """The sanity measures of every model and method."""
        columns = [(role, name) for role, names in self.values["models"].items() for name in names]
        rows = [
            (
                title,
                tuple(_cell(self.values["models"][role][name].get(key)) for role, name in columns),
            )
            for key, title in _MEASURES.items()
        ]
        return Grid(
            caption=f"May the maps be believed? {self.values['images']} evaluation images",
            columns=tuple(f"{role.capitalize()}, {name}" for role, name in columns),
            rows=tuple(row for row in rows if any(cell.value for cell in row[1])),
        )

    @property
    def sentences(self) -> list[str]:
        """What is the same for all models."""
        found = []
        for key, title in (
            ("pointing_centre", "Pointing always at the middle of the image hits"),
            ("pointing_chance", "Pointing at random hits"),
        ):
            if self.values.get(key):
                cell = _cell(self.values[key])
                found.append(
                    f"{title} {cell.value}{f' ({cell.interval})' if cell.interval else ''}."
                )
        agreed = self.values.get("agreement")
        if agreed:
            cell = _cell(agreed)
            found.append(
                "Teacher and student look at the same places with a rank correlation of "
                f"{cell.value}{f' ({cell.interval})' if cell.interval else ''}."
            )
        if self.values.get("note"):
            found.append(str(self.values["note"]))
        return found


def _cell(found: Mapping[str, Any] | None) -> Cell:
    if not found:
        return Cell(value="")
    return Cell(
        value=number(found["estimate"]),
        interval=interval(found["low"], found["high"]),
        note=found["reason"] or "",
    )
