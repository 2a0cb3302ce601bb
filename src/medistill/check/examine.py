"""All checks of a set, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from medistill.check.classes import (
    class_findings,
    group_findings,
    label_findings,
    mixed_findings,
)
from medistill.check.copies import copy_findings, near_findings
from medistill.check.finding import SEVERITIES, Finding
from medistill.check.memory import memory_findings
from medistill.check.quality import quality_findings, text_findings
from medistill.check.shortcut import shortcut_findings
from medistill.check.subject import Subject
from medistill.core.errors import DataError, UnknownNameError

#: Checks by what they look at.
CHECKS: Mapping[str, Callable[[Subject], Iterator[Finding]]] = MappingProxyType(
    {
        "classes": class_findings,
        "groups": group_findings,
        "persons": mixed_findings,
        "labels": label_findings,
        "exact copies": copy_findings,
        "near copies": near_findings,
        "shortcuts": shortcut_findings,
        "quality": quality_findings,
        "text": text_findings,
        "teacher": memory_findings,
    }
)
#: Names of findings that can stop a training.
FATAL_NAMES = frozenset(
    {
        "exact-copies-across-parts",
        "exact-copies-with-other-labels",
        "header-predicts-class",
        "large-cluster",
        "near-copies-across-parts",
        "rare-classes",
        "rim-predicts-class",
        "teacher-saw-these",
        "unreadable",
    }
)


def examine(subject: Subject) -> tuple[Finding, ...]:
    """Every finding, the gravest first."""
    found = [finding for check in CHECKS.values() for finding in check(subject)]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def refuse_fatal(findings: Sequence[Finding], *, where: object, allow: Sequence[str]) -> None:
    """Stop where a fatal finding is not allowed by name.

    Raises:
        UnknownNameError: ``allow`` holds a name that no fatal finding has.
        DataError: names every fatal finding, and how to go on all the same.
    """
    for name in allow:
        if name not in FATAL_NAMES:
            raise UnknownNameError(
                where="data.allow", kind="fatal finding", name=name, known=FATAL_NAMES
            )
    fatal = [f for f in findings if f.severity == "fatal" and f.check not in allow]
    if fatal:
        names = ", ".join(dict.fromkeys(finding.check for finding in fatal))
        raise DataError(
            where=where,
            what="is not fit to train on: " + "; ".join(f"{f.text} [{f.check}]" for f in fatal),
            cure=f"Mend it, or go on all the same with data.allow=[{names}].",
        )
