"""Tables of what was decided on *calibrate*, from the plain values of metrics.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medistill.report.tables import ROLES, Cell, is_external
from medistill.report.values import interval, number

_RULES = {
    "sensitivity": "sensitivity of at least {wished:.0%}",
    "specificity": "specificity of at least {wished:.0%}",
    "youden": "largest sensitivity + specificity (Youden)",
    "cost": "a miss costs {wished:g} false alarms",
}
_MEASURES = {
    "error": "Calibration error, equal widths",
    "adaptive": "Calibration error, equal masses",
    "classwise": "Class-wise calibration error",
    "brier": "Brier score",
    "log_loss": "Log loss",
}
_RATES = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "positive_predictive_value": "Positive predictive value",
    "negative_predictive_value": "Negative predictive value",
}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with headings; a cell is a figure with its interval and note.

    Attributes:
        caption: what it shows.
        columns: headings of the columns after the first.
        rows: heading and cells of each line.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def present(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Roles with their decisions, in the order of the report."""
    found = metrics.get("decisions") or {}
    return [(role, found[role]) for role in ROLES if role in found]


def calibration(metrics: Mapping[str, Any]) -> Grid | None:
    """Calibration before and after the temperature."""
    models = present(metrics)
    if not models:
        return None
    rows = [
        (title, tuple(_pair(model["calibration"], key) for _, model in models))
        for key, title in _MEASURES.items()
    ]
    rows.append(("Temperature", tuple(_temperature(model) for _, model in models)))
    return Grid(
        caption="With the temperature, and in small print before it; lower is better",
        columns=tuple(role.capitalize() for role, _ in models),
        rows=tuple(rows),
    )


def operating(metrics: Mapping[str, Any]) -> list[Grid]:
    """One table of operating points a model; the teacher's is left to metrics.json."""
    grids = []
    where = _where(metrics)
    kept = (
        "each label from 0.5 up" if metrics["task"] == "multi-label" else "the most probable class"
    )
    for role, model in present(metrics):
        points = [point for point in model["operating"] if "confusion" in point]
        if role == "teacher" or not points:
            continue
        shipped = any(point["shipped"] for point in model["operating"])
        grids.append(
            Grid(
                caption=f"{role.capitalize()}: {where}"
                + ("" if shipped else f"; as shipped it says {kept}"),
                columns=("Threshold", *_RATES.values(), "Hits, misses, false alarms, rejections"),
                rows=tuple(
                    (_rule(point), (Cell(value=threshold), *_point(point)))
                    for point, threshold in zip(points, _thresholds(points), strict=True)
                ),
            )
        )
    return grids


def _where(metrics: Mapping[str, Any]) -> str:
    """Where thresholds come from and were counted, and what they cut."""
    where = "thresholds chosen on the calibration part, counted on the evaluation part"
    if is_external(metrics):
        where = "thresholds from the model's own calibration part, counted on the other set"
    if metrics["task"] == "single-label" and len(metrics["classes"]) > 2:
        where += "; a threshold is of p / (p + the largest probability of the other classes)"
    if metrics["counts"]["folds"] > 1:
        where += "; thresholds are means over the folds"
    return where


def sets(metrics: Mapping[str, Any]) -> Grid | None:
    """Coverage and sizes of prediction sets; None where every model was refused."""
    models = [(role, model) for role, model in present(metrics) if "coverage" in model["sets"]]
    if not models:
        return None
    level = models[0][1]["sets"]["level"]
    names = list(dict.fromkeys(name for _, model in models for name in model["sets"]["coverage"]))
    rows = [
        (
            f"Truth in the set, {name}",
            tuple(_figure(m["sets"]["coverage"].get(name), level) for _, m in models),
        )
        for name in names
    ]
    rows += _set_sizes([model["sets"]["sizes"] for _, model in models])
    return Grid(
        caption=f"Prediction sets that promise {level:.0%} for every class (of labels: for either "
        "answer)",
        columns=tuple(role.capitalize() for role, _ in models),
        rows=tuple(rows),
    )


def _set_sizes(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[Cell, ...]]]:
    """How many answers the sets hold; label by label where labels are not exclusive."""
    titles = {"one": "One answer", "several": "Several answers", "none": "No answer"}
    if all("one" in each for each in found):
        return [
            (title, tuple(_figure(each[key]) for each in found)) for key, title in titles.items()
        ]
    labels = list(dict.fromkeys(label for each in found for label in each))
    return [
        (
            f"Both answers possible, {label}",
            tuple(_figure(each.get(label, {}).get("several")) for each in found),
        )
        for label in labels
    ]


def selective(metrics: Mapping[str, Any]) -> Grid | None:
    """Accuracy where only the surest answers are given."""
    models = [(role, model) for role, model in present(metrics) if model["selective"]]
    if not models:
        return None
    count = len(models[0][1]["selective"]["points"])
    rows = [
        (
            f"Surest {models[0][1]['selective']['points'][n]['coverage']:.0%}",
            tuple(_figure(model["selective"]["points"][n]["accuracy"]) for _, model in models),
        )
        for n in range(count)
    ]
    areas = [Cell(value=number(model["selective"]["area"])) for _, model in models]
    rows.append(("Area under risk over coverage (lower is better)", tuple(areas)))
    masks = models[0][1]["selective"]["of"] == "dice"
    return Grid(
        caption="Mean Dice of the foreground where only the masks are given that promise most by "
        "the model's own probabilities"
        if masks
        else "Accuracy of the answers that are given",
        columns=tuple(role.capitalize() for role, _ in models),
        rows=tuple(rows),
    )


def strange(metrics: Mapping[str, Any]) -> Grid | None:
    """What the student's trust gate stops."""
    student = (metrics.get("decisions") or {}).get("student")
    if not student or "sets" not in student["strange"]:
        return None
    return strange_grid(student["strange"])


def strange_grid(found: Mapping[str, Any]) -> Grid:
    """What a gate stops, from the values of ``evaluate.strange.strange_values``."""
    rows = [
        (
            "Known images (false alarms)",
            (Cell(value=""), _figure(found["false_alarms"]), Cell(value="")),
        )
    ]
    for name, each in found["sets"].items():
        kind = "near" if each["near"] else "far"
        cells = (
            Cell(value=f"{each['images']:,}"),
            _figure(each["caught"]),
            Cell(value=number(each["auroc"].get("total"))),
        )
        rows.append((f"{name} ({kind})", cells))
    return Grid(
        caption=f"Share that is stopped at {found['allowed']:.0%} allowed false alarms",
        columns=("Images", "Stopped", "AUROC of the score"),
        rows=tuple(rows),
    )


def uncertainty(metrics: Mapping[str, Any]) -> Grid | None:
    """Whether a map of uncertainty knows where a mask is wrong; None for other tasks."""
    models = [(role, model) for role, model in present(metrics) if model["uncertainty"]]
    if not models:
        return None
    cells = tuple(_figure(model["uncertainty"]["error_auroc"]) for _, model in models)
    counts = tuple(Cell(value=f"{model['uncertainty']['wrong']:,}") for _, model in models)
    return Grid(
        caption="Entropy of a pixel as a sign that its class is wrong: AUROC, mean over images",
        columns=tuple(role.capitalize() for role, _ in models),
        rows=(("AUROC (0.5: the map says nothing)", cells), ("Images with wrong pixels", counts)),
    )


def _pair(found: Mapping[str, Any], key: str) -> Cell:
    return Cell(
        value=number(found["after"][key]), interval=f"before {number(found['before'][key])}"
    )


def _temperature(model: Mapping[str, Any]) -> Cell:
    """Of each fold or label, and whether none could be fitted."""
    values = model["temperature"]
    text = ", ".join(f"{value:.2f}" for value in values[:6]) + (" ..." if len(values) > 6 else "")
    alone = len(values) == 1 and "calibration" in model["refusals"]
    return Cell(value=text, note="not fitted" if alone else "")


def _rule(point: Mapping[str, Any]) -> str:
    text = _RULES[point["rule"]].format(wished=point["wished"] or 0)
    return f"{point['class']}: {text}" + (", shipped" if point["shipped"] else "")


def _thresholds(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """Thresholds with as many digits as tell those that differ apart, three at least."""
    values = [point["threshold"] for point in points]
    texts = [[f"{value:.{digits}f}" for value in values] for digits in range(3, 17)]
    return next((each for each in texts if len(set(each)) == len(set(values))), texts[-1])


def _point(point: Mapping[str, Any]) -> tuple[Cell, ...]:
    counts = point["confusion"]
    # Youden and costs promise no rate.
    promised = {point["rule"]: point["wished"]}
    order = ("hits", "misses", "false_alarms", "rejections")
    return (
        *(_figure(point[key], promised.get(key)) for key in _RATES),
        Cell(value=", ".join(f"{counts[key]:,}" for key in order)),
    )


def _figure(found: Mapping[str, Any] | None, promised: float | None = None) -> Cell:
    """A share with its interval, and a remark where all of that lies below what was promised."""
    if not found or "estimate" not in found:
        return Cell(value=number(None), note=(found or {}).get("reason") or "")
    missed = promised is not None and found["high"] is not None and found["high"] < promised
    return Cell(
        value=number(found["estimate"]),
        interval=interval(found["low"], found["high"]),
        note=f"below the promised {promised:.0%}" if missed else found["reason"] or "",
    )
