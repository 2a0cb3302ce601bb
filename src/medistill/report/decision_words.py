"""What could not be fitted on *calibrate*, in words under the heading it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from medistill.report.decision_tables import present
from medistill.report.tables import is_external

_KIND = "calibration"
_TITLES = {
    _KIND: "Temperature",
    "thresholds": "Threshold",
    "conformal": "Prediction sets",
    "trust": "Trust gate",
    "decision_curve": "Decision curve",
}
#: Kinds of refusals under the headings of the section on trust.
_HEADINGS = {
    "calibration": (_KIND,),
    "points": ("thresholds", "decision_curve"),
    "strange": ("conformal", "trust"),
}
#: All models of the page.
ANY = "any model"


class _Fact(NamedTuple):
    """One thing that is missing."""

    kind: str
    of: str
    reason: str


def refusals(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """What could not be fitted, one sentence a reason, under the id of its heading.

    Models are named in a sentence unless it holds for all of the page.
    """
    found: dict[_Fact, list[str]] = defaultdict(list)
    models = present(metrics)
    for role, model in models:
        for fact in dict.fromkeys(_facts(model)):
            found[fact].append(role)
    return {
        heading: [
            _sentence(fact, roles if len(roles) < len(models) else ())
            for kind in kinds
            for fact, roles in found.items()
            if fact.kind == kind
        ]
        for heading, kinds in _HEADINGS.items()
    }


def unnamed(metrics: Mapping[str, Any]) -> str:
    """How to get operating points of several classes of which none is named; empty if not so."""
    models, count = present(metrics), len(metrics["classes"])
    # Evaluations of earlier versions do not say which class was named.
    said = any(model.get("positive") or model["operating"] for _, model in models)
    if metrics["task"] != "single-label" or count <= 2 or not models or said:
        return ""
    return (
        f"With {count} classes an operating point is of one of them against the others, and none "
        "is named: 'medistill run' with decide.positive=CLASS into the same run folder trains "
        "nothing anew and gives its thresholds with sensitivity, specificity and predictive values"
        f"{'; then evaluate again' if is_external(metrics) else ''}."
    )


def uncalibrated(metrics: Mapping[str, Any]) -> str:
    """Models, folds and labels without a fitted temperature; ``ANY`` for all, empty for none."""
    parts = {role: _without(model, metrics["task"]) for role, model in present(metrics)}
    kinds = set(parts.values())
    if len(kinds) == 1 and (len(parts) > 1 or "" in kinds) and None not in kinds:
        return f"{ANY}{kinds.pop()}"
    return _listed([f"the {role}{part}" for role, part in parts.items() if part is not None])


def _facts(model: Mapping[str, Any]) -> Iterator[_Fact]:
    """Refusals, and the operating points that were not found for another reason."""
    whole = set()
    for key, reason in model["refusals"].items():
        kind, _, of = key.partition(".")
        whole.add((kind, reason))
        yield _Fact(kind, of, reason)
    for point in model["operating"]:
        if "reason" in point and ("thresholds", point["reason"]) not in whole:
            yield _Fact("thresholds", point["class"], point["reason"])


def _sentence(fact: _Fact, roles: Sequence[str]) -> str:
    title = _TITLES.get(fact.kind, fact.kind)
    whose = f" ({', '.join(roles)})" if roles else ""
    return f"{title}{f', {fact.of}' if fact.of else ''}{whose}: {fact.reason}."


def _without(model: Mapping[str, Any], task: str) -> str | None:
    """What of a model has no temperature: all of it (empty), some folds or labels, or None."""
    refused, values = model["refusals"], model["temperature"]
    if _KIND in refused and (task == "multi-label" or len(values) == 1):
        return ""
    if task == "multi-label":
        labels = [key.removeprefix(f"{_KIND}.") for key in refused if key.startswith(f"{_KIND}.")]
        return _part(len(labels), len(values), f"'s {_listed(labels)}")
    # Reasons are those of the first fold; a fold without a temperature keeps exactly 1.
    count = values.count(1.0) if len(values) > 1 else 0
    return _part(count, len(values), f" in {count} of {len(values)} folds")


def _part(count: int, of: int, some: str) -> str | None:
    """Words for so many of all: None for none, empty for all."""
    if not count:
        return None
    return "" if count == of else some


def _listed(names: Sequence[str]) -> str:
    """``a, b and c``; empty for none."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
