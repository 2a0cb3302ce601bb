"""What the teacher was fitted on, and whether it saw the images that are to judge it."""

from __future__ import annotations

from collections.abc import Iterator

from medistill.check.finding import Finding, share
from medistill.check.subject import Subject
from medistill.core.counting import agreeing, plural

#: Parts on which results are reported.
JUDGED = ("evaluate", "test", "val")


def memory_findings(subject: Subject) -> Iterator[Finding]:
    """Images that the teacher was fitted on, by content hash."""
    if subject.fitted_on is None:
        return
    names = [sample.name for sample in subject.readable]
    seen = [name for name in names if subject.facts[name].stored in subject.fitted_on]
    judged = [name for name in seen if subject.parts.get(name) in JUDGED]
    yield Finding(
        check="teacher-fitted-on",
        severity="note",
        text=f"the teacher was fitted on {plural('image', len(subject.fitted_on))}; "
        f"{share(len(seen), len(names), 'image')} here "
        f"{agreeing(len(seen), 'is|are')} among them",
        figures={"fitted_on": len(subject.fitted_on), "seen": len(seen)},
    )
    grave = judged or (seen and not subject.parts)
    if grave:
        held = judged or seen
        yield Finding(
            check="teacher-saw-these",
            severity="fatal",
            text=f"the teacher was fitted on {plural('image', len(held))} "
            "on which results would be reported",
            cure="Evaluate on other images, or fit the teacher without these.",
            figures={"images": len(held)},
            groups=[held],
        )
