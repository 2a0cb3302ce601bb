"""What the section on explanation is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        values: for each role and method the sanity measures, each with an interval and the number
            ``n`` of images behind it; under ``pointing_centre`` and ``pointing_chance`` what
            pointing at the middle or anywhere hits; under ``agreement`` teacher and student;
            ``images`` how many were used, ``images_per_class`` for which class each, and
            ``areas_per_class`` the same of deletion and insertion; ``titles`` what the model of
            each role is called, where it is not all of it that was explained.
        sheet: rows of pictures: the image, then one overlay a model and method.
    """

    values: Mapping[str, Any]
    sheet: tuple[tuple[Picture, ...], ...] = field(default_factory=tuple)

    @property
    def table(self) -> Grid:
        """The sanity measures of every model and method."""
        columns = [(role, name) for role, names in self.values["models"].items() for name in names]
        rows = []
        for key, title in _MEASURES.items():
            found = [self.values["models"][role][name].get(key) for role, name in columns]
            if any(found):
                rows.append((f"{title}{_behind(found)}", tuple(_cell(each) for each in found)))
        return Grid(
            caption=f"May the maps be believed? {self.values['images']} evaluation images "
            f"({_by_class(self.values['images_per_class'])}); deletion and insertion on "
            f"{sum(self.values['areas_per_class'].values())} of them "
            f"({_by_class(self.values['areas_per_class'])})",
            columns=tuple(f"{self._title(role)}, {name}" for role, name in columns),
            rows=tuple(rows),
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
                f"{self._title('teacher')} and student look at the same places with a rank "
                f"correlation of {cell.value}{f' ({cell.interval})' if cell.interval else ''}."
            )
        if self.values.get("note"):
            found.append(str(self.values["note"]))
        return found

    def _title(self, role: str) -> str:
        """What a column is headed by: ``Teacher (first of 5 members)``."""
        return str(self.values.get("titles", {}).get(role, role)).capitalize()


def _by_class(counts: Mapping[str, int]) -> str:
    """Classes of which there is none are named too: that they are missing is to be seen."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _behind(found: Sequence[Mapping[str, Any] | None]) -> str:
    """How many images a line is measured on; a map that is flat has no ranks and does not count."""
    numbers = sorted({each["n"] for each in found if each})
    return f", n = {' to '.join(str(n) for n in dict.fromkeys((numbers[0], numbers[-1])))}"


def _cell(found: Mapping[str, Any] | None) -> Cell:
    if not found:
        return Cell(value="")
    return Cell(
        value=number(found["estimate"]),
        interval=interval(found["low"], found["high"]),
        note=found["reason"] or "",
    )
