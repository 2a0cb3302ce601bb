"""The plots of the report: small panels, one question each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from markupsafe import Markup
from matplotlib.axes import Axes

from medistill.report.svg import CONTROL, INK, LINE, MUTED, STUDENT, TEACHER, draw
from medistill.report.values import interval, number

COLOURS = MappingProxyType({"teacher": TEACHER, "student": STUDENT, "control": CONTROL})
STYLES = MappingProxyType({"teacher": (0, (5, 2)), "student": "solid", "control": (0, (1.2, 1.6))})
MOST_CLASSES = 6
SQUARE = {"width": 3.3, "height": 3.1}
Models = Mapping[str, Mapping[str, Any] | None]


def forest(metrics: Mapping[str, Any], name: str) -> Markup:
    """One metric of all models as points with intervals."""
    found = {role: model["overall"][name] for role, model in _present(metrics["models"])}
    title = metrics["metrics"][name]["title"]
    lower = "lower is better" if metrics["metrics"][name]["better"] == "lower" else ""

    def paint(axes: Axes) -> None:
        for row, (role, value) in enumerate(reversed(found.items())):
            _whisker(axes, row, value, COLOURS[role])
        axes.set_yticks(range(len(found)), [role for role in reversed(found)])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(-0.6, len(found) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)
        axes.locator_params(axis="x", nbins=5)
        axes.set_title(title)
        axes.set_xlabel(lower or "higher is better", fontsize=8)

    said = "; ".join(f"{role} {_said(value)}" for role, value in found.items())
    return draw(paint, width=2.7, height=1.5, label=f"{title}: {said}")


def roc(metrics: Mapping[str, Any], class_: str) -> Markup:
    """Sensitivity over false alarms of a class."""
    curves = _curves(metrics, "roc", class_)

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for role, curve in curves.items():
            x, y = [0.0, *curve["false_positive_rate"]], [0.0, *curve["sensitivity"]]
            _line(axes, role, x, y)
        _unit_square(axes, "1 \N{MINUS SIGN} specificity", "Sensitivity", f"ROC, {class_}")
        _legend(axes, curves, loc="lower right")

    label = f"Receiver operating characteristic of {class_} for {_names(curves)}"
    return draw(paint, **SQUARE, label=label)


def precision_recall(metrics: Mapping[str, Any], class_: str) -> Markup:
    """Precision over recall of a class, with the level of guessing."""
    curves = _curves(metrics, "precision_recall", class_)
    counts = metrics["counts"]
    share = counts["images_per_class"][class_] / max(1, counts["known_per_class"][class_])

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [share, share], color=LINE, linewidth=1)
        for role, curve in curves.items():
            _line(axes, role, curve["recall"], curve["precision"])
        _unit_square(axes, "Recall (sensitivity)", "Precision", f"Precision-recall, {class_}")
        _legend(axes, curves, loc="best")

    label = f"Precision over recall of {class_} for {_names(curves)}; guessing gives {share:.2f}"
    return draw(paint, **SQUARE, label=label)


def reliabilities(metrics: Mapping[str, Any]) -> list[Markup]:
    """A diagram a model; of labels that are not exclusive the student's, label by label."""
    roles = [role for role, _ in _present(metrics["models"])]
    names = list(metrics["models"]["student"]["calibration"]["bins"])
    if len(names) > 1 or metrics["task"] == "multi-label":
        return [reliability(metrics, "student", name) for name in names[:MOST_CLASSES]]
    return [reliability(metrics, role, names[0]) for role in roles]


def reliability(metrics: Mapping[str, Any], role: str, name: str) -> Markup:
    """Observed frequency over stated probability, points as large as their share of images."""
    model = metrics["models"][role]
    bins = model["calibration"]["bins"][name]
    most = max(1, sum(b["images"] for b in bins))
    error = sum(b["images"] * abs(b["frequency"] - b["probability"]) for b in bins) / most
    whole = name in ("all", "pixels")
    title = role.capitalize() if whole else f"{role.capitalize()}, {name}"

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        x, y = [b["probability"] for b in bins], [b["frequency"] for b in bins]
        areas = [12 + 500 * b["images"] / most for b in bins]
        axes.vlines(x, x, y, color=COLOURS[role], linewidth=1, alpha=0.6)
        axes.scatter(x, y, s=areas, color=COLOURS[role], alpha=0.85, linewidths=0, zorder=3)
        _unit_square(axes, "Stated probability", "Observed frequency", title)
        axes.text(0.04, 0.93, f"error {number(error)}", color=MUTED)
        if whole:
            floor = model["calibration"]["noise_floor"]
            axes.text(0.04, 0.85, f"by chance {number(floor)}", color=MUTED)

    points = ", ".join(f"{b['probability']:.2f}: {b['frequency']:.2f}" for b in bins)
    label = (
        f"Reliability of the {title.lower()}, stated probability to observed frequency: {points}"
    )
    return draw(paint, **SQUARE, label=label)


def seed_spread(metrics: Mapping[str, Any]) -> Markup:
    """The headline metric of every training seed, pairs of the same seed joined."""
    name = metrics["headline"]
    title = metrics["metrics"][name]["title"]
    roles = [r for r in ("control", "student") if metrics["models"][r]]
    values = {r: metrics["models"][r]["seeds"][name]["values"] for r in roles}

    def paint(axes: Axes) -> None:
        if len(roles) == 2:
            for pair in zip(*values.values(), strict=False):
                axes.plot([0, 1], pair, color=LINE, linewidth=1)
        for column, role in enumerate(roles):
            axes.scatter(
                [column] * len(values[role]), values[role], color=COLOURS[role], s=28, zorder=3
            )
        axes.set_xticks(range(len(roles)), [role.capitalize() for role in roles])
        axes.set_xlim(-0.5, len(roles) - 0.5)
        axes.grid(axis="x", visible=False)
        axes.set_title(f"{title} of each training seed")

    said = "; ".join(f"{r} {', '.join(number(v) for v in values[r])}" for r in roles)
    return draw(paint, width=3.3, height=2.6, label=f"{title} by seed: {said}")


def losses(role: str, epochs: Sequence[float], terms: Mapping[str, Sequence[float]]) -> Markup:
    """Training loss of one model by epoch, with its terms."""

    def paint(axes: Axes) -> None:
        for (name, values), style in zip(terms.items(), _DASHES, strict=False):
            axes.plot(epochs, values, color=COLOURS[role], linestyle=style, label=name)
        axes.set_title(f"Training loss, {role}")
        axes.set_xlabel("Epoch")
        if len(terms) > 1:
            axes.legend()

    ends = ", ".join(f"{name} {number(values[-1])}" for name, values in terms.items())
    label = f"Training loss of the {role} over {len(epochs)} epochs; at the end {ends}"
    return draw(paint, width=2.7, height=2.2, label=label)


def selection(scores: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str) -> Markup:
    """The score on the selection part by epoch."""

    def paint(axes: Axes) -> None:
        for role, (epochs, values) in scores.items():
            _line(axes, role, epochs, values)
        axes.set_title(f"{title} on the selection part")
        axes.set_xlabel("Epoch")
        axes.legend(loc="lower right")

    best = ", ".join(f"{role} at best {number(max(v))}" for role, (_, v) in scores.items())
    return draw(paint, width=2.7, height=2.2, label=f"{title} on the selection part: {best}")


_DASHES = ("solid", (0, (5, 2)), (0, (1.2, 1.6)), "dashdot", (0, (8, 2)), (0, (3, 1, 1, 1)))


def _present(models: Models) -> list[tuple[str, Mapping[str, Any]]]:
    return [(role, model) for role in COLOURS if (model := models[role])]


def _curves(metrics: Mapping[str, Any], kind: str, class_: str) -> dict[str, Mapping[str, Any]]:
    found = {role: model[kind][class_] for role, model in _present(metrics["models"])}
    return {role: curve for role, curve in found.items() if curve}


def _names(curves: Mapping[str, Any]) -> str:
    return ", ".join(curves) or "no model, because a class is absent"


def _line(axes: Axes, role: str, x: Sequence[float], y: Sequence[float]) -> None:
    axes.plot(x, y, color=COLOURS[role], linestyle=STYLES[role], label=role)


def _legend(axes: Axes, curves: Mapping[str, Any], *, loc: Literal["best", "lower right"]) -> None:
    if curves:
        axes.legend(loc=loc)


def _whisker(axes: Axes, row: int, value: Mapping[str, Any], colour: str) -> None:
    if value["estimate"] is None:
        return
    if value["low"] is not None:
        axes.plot([value["low"], value["high"]], [row, row], color=colour, linewidth=2.2)
    axes.plot([value["estimate"]], [row], marker="o", markersize=6, color=colour)


def _said(value: Mapping[str, Any]) -> str:
    if value["estimate"] is None:
        return str(value["reason"])
    ends = interval(value["low"], value["high"])
    return number(value["estimate"]) + (f" (95 % interval {ends})" if ends else "")


def _unit_square(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y, title=title)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_aspect("equal")
