"""What a bundle's card says of the evaluation: sentences from metrics.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_RATES = ("sensitivity", "specificity")


def findings_of(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences for the model card, who is served worse before what was gained.

    Args:
        metrics: content of metrics.json.
    """
    answer = metrics["answer"]
    # Evaluations of earlier versions do not say it.
    start = metrics["provenance"].get("start", {}).get("student")
    said = [answer.get(key) for key in ("for_file", "for_method", "standing", "shipped")]
    said += [*_decided(metrics), *answer.get("no_harm", [])]
    began = start and f"The student's training began from {start}."
    # Who is served worse stands where it stands in the report.
    sentences = (answer["opening"], *answer.get("harm", []), *said, began)
    return tuple(text for text in sentences if text)


def _decided(metrics: Mapping[str, Any]) -> Iterator[str]:
    """What the student's own decisions are worth, class by class that they are about."""
    student = metrics["decisions"].get("student", {})
    folds = metrics["counts"]["folds"]
    where = f", over the students of all {folds} folds" if folds > 1 else ""
    shipped = [p for p in student.get("operating", ()) if p["shipped"] and "confusion" in p]
    for point in shipped:
        yield f"At the threshold for '{point['class']}'{where}: {_rates(point)}."
    named = student.get("positive")
    if named is not None and not shipped:
        own = metrics["models"]["student"]["per_class"][named]
        yield f"Of '{named}', at the most probable class{where}: {_rates(own)}."


def _rates(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(found[name])}" for name in _RATES)


def _value(found: Mapping[str, Any]) -> str:
    if found["estimate"] is None:
        return f"unknown ({found['reason']})"
    if found["low"] is None:
        return f"{found['estimate']:.3f} (no interval: {found['reason']})"
    return f"{found['estimate']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f})"
