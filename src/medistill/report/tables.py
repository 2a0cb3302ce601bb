"""What the tables of the report hold, from the plain values of metrics.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medistill.report.values import heading, interval, number, p_value, quantity, signed

ROLES = ("teacher", "student", "control")
OTHERS = ("control", "teacher")
_VERDICTS = ("better", "worse")
_UNITS = {
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds an image",
    "latency_ms": "Time an image, ms",
    "image_size": "Image side, pixels",
    "members": "Members, which answer together",
    "graph_bytes": "ONNX graph, bytes",
}
_MANY = 12
_SMALLER_IS_BETTER = ("parameters", "multiply_adds", "latency_ms", "graph_bytes")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure of a table.

    Attributes:
        value: the estimate.
        interval: its 95 % interval, or empty.
        note: p-value, or why something is missing.
        verdict: ``better``, ``worse`` or empty.
        role: column it belongs to.
    """

    value: str
    interval: str = ""
    note: str = ""
    verdict: str = ""
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table of figures."""

    title: str
    hint: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Lines of a table under one heading, which may be empty."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """A confusion matrix as counts with their share of the true class, row by row."""

    role: str
    rows: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]


def is_external(metrics: Mapping[str, Any]) -> bool:
    """Whether another set was judged than the model's own."""
    return bool((metrics.get("flow") or {}).get("external"))


def columns(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headings of the tables of figures, each with the role whose colour it bears."""
    names = [(role.capitalize(), role) for role in ROLES if metrics["models"][role]]
    names += [(f"Student minus {o}", "") for o in OTHERS if _pair(metrics, o)]
    return names


def overall(metrics: Mapping[str, Any]) -> list[Section]:
    """Every metric of a whole model."""
    names = [name for name, known in metrics["metrics"].items() if not known["per_class"]]
    rows = tuple(_row(metrics, name, ("overall", name)) for name in names)
    return [Section(title="", rows=rows)]


def per_class(metrics: Mapping[str, Any]) -> list[Section]:
    """Every metric of each class."""
    known = metrics["metrics"]
    names = [name for name in known if known[name]["per_class"]]
    if metrics["task"] == "single-label" and len(metrics["classes"]) == 2:
        names = [name for name in names if name != "class_auroc"]  # the same as AUROC
    return [
        Section(
            title=f"{class_} ({_class_size(metrics, class_)})",
            rows=tuple(_row(metrics, name, ("per_class", class_, name)) for name in names),
        )
        for class_ in metrics["counts"]["images_per_class"]
    ]


def confusions(metrics: Mapping[str, Any]) -> list[Confusion]:
    """One matrix a model."""
    return [
        Confusion(
            role=role,
            rows=tuple(
                (name, tuple((count, count / max(1, sum(counts))) for count in counts))
                for name, counts in zip(metrics["classes"], model["confusion"], strict=True)
            ),
        )
        for role, model in _models(metrics)
        if model["confusion"]
    ]


def sizes(metrics: Mapping[str, Any]) -> tuple[list[str], list[tuple[str, list[str], str]]]:
    """Roles, and for each measure its name, one value a role and how they compare."""
    measured = metrics.get("sizes") or {}
    roles = [role for role in ROLES if measured.get(role)]
    keys = list(dict.fromkeys(key for role in roles for key in measured[role]))
    rows = [
        (
            _UNITS.get(key, heading(key)),
            [_size(measured[role].get(key)) for role in roles],
            _times(measured, key),
        )
        for key in keys
    ]
    return roles, rows


def seeds(metrics: Mapping[str, Any]) -> list[tuple[str, int, str, str]]:
    """Role, number of seeds, mean and deviation of the headline metric; only with several."""
    name = metrics["headline"]
    found = [(role, model["seeds"][name]) for role, model in _models(metrics)]
    return [
        (role, len(spread["values"]), number(spread["mean"]), number(spread["sd"]))
        for role, spread in found
        if len(spread["values"]) > 1
    ]


def flat(values: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as name and text, for example ``Versions torch``, ``2.6``.

    What has very many names, as folds and seeds do, shares one text, lest it fills pages.
    """
    for key, value in values.items():
        name = f"{parent} {key}".strip()
        if isinstance(value, Mapping) and len(value) > _MANY:
            yield heading(name), "; ".join(f"{each} {text}" for each, text in value.items())
        elif isinstance(value, Mapping):
            yield from flat(value, name)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield heading(name), ", ".join(map(str, value)) or "none"
        else:
            yield heading(name), "none" if value is None else str(value)


def _models(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(role, metrics["models"][role]) for role in ROLES if metrics["models"][role]]


def _pair(metrics: Mapping[str, Any], other: str) -> Mapping[str, Any] | None:
    pair: Mapping[str, Any] | None = metrics["differences"][f"student_minus_{other}"]
    return pair


def _row(metrics: Mapping[str, Any], name: str, path: tuple[str, ...]) -> Row:
    known = metrics["metrics"][name]
    cells = [_estimate(_at(model, path), role) for role, model in _models(metrics)]
    pairs = [pair for other in OTHERS if (pair := _pair(metrics, other))]
    cells += [_difference(_at(pair, path)) for pair in pairs]
    hint = known["meaning"] + (" Lower is better." if known["better"] == "lower" else "")
    return Row(title=known["title"], hint=hint, cells=tuple(cells))


def _at(value: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for key in path:
        value = value[key]
    return value


def _estimate(found: Mapping[str, Any], role: str) -> Cell:
    return Cell(
        value=number(found["estimate"]),
        interval=interval(found["low"], found["high"]),
        note=found["reason"] or "",
        role=role,
    )


def _difference(found: Mapping[str, Any]) -> Cell:
    verdict = found["verdict"] if found["verdict"] in _VERDICTS else ""
    return Cell(
        value=signed(found["estimate"]),
        interval=interval(found["low"], found["high"]),
        note=found["reason"] or p_value(found["p"]),
        verdict=verdict,
    )


def _class_size(metrics: Mapping[str, Any], class_: str) -> str:
    counts = metrics["counts"]
    images, groups = counts["images_per_class"][class_], counts["groups_per_class"][class_]
    return f"{images:,} images, groups: {groups:,}"


def _size(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return quantity(value)
    return number(None) if value is None else str(value)


def _times(measured: Mapping[str, Mapping[str, Any]], key: str) -> str:
    """How many times less the student needs than its teacher."""
    teacher, student = (measured.get(role, {}).get(key) for role in ("teacher", "student"))
    if key not in _SMALLER_IS_BETTER or not teacher or not student:
        return ""
    factor = float(teacher) / float(student)
    if f"{factor:.1f}" == "1.0":
        return "as much"
    return f"{factor:.1f} times less" if factor >= 1 else f"{1 / factor:.1f} times more"
