"""What a check found, and how grave it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from medistill.core.counting import plural

Severity = Literal["fatal", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("fatal", "warning", "note")
#: Most names that a finding keeps a group, and most groups.
SHOWN_NAMES, SHOWN_GROUPS = 8, 6


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    Attributes:
        check: the check's name, by which a fatal finding is allowed.
        severity: ``fatal`` stops a training, ``warning`` is said, ``note`` is information.
        text: what was found, as one sentence.
        cure: what to do; empty for a note.
        figures: numbers behind the sentence, as JSON has them.
        groups: names of suspicious images, one tuple a group, for the picture sheet.
    """

    check: str
    severity: Severity
    text: str
    cure: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    groups: Sequence[Sequence[str]] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, with the first groups and names alone."""
        value = asdict(self)
        value["groups"] = [list(group[:SHOWN_NAMES]) for group in self.groups[:SHOWN_GROUPS]]
        return value


def share(part: int, whole: int, word: str) -> str:
    """A count with its percentage, for example ``12 of 40 images (30.0 %)``."""
    return f"{part:,} of {plural(word, whole)} ({100 * part / max(1, whole):.1f} %)"
