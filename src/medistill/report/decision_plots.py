"""Plots of decisions: net benefit over thresholds, accuracy over coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from medistill.report.decision_tables import present
from medistill.report.plots import COLOURS, MOST_CLASSES, SQUARE, STYLES
from medistill.report.svg import LINE, MUTED, draw
from medistill.report.values import number

_LOWEST = -0.05


def decision_curves(metrics: Mapping[str, Any]) -> list[Markup]:
    """Net benefit of acting on each model, on everybody and on nobody; one panel a class."""
    models = present(metrics)
    classes = list(dict.fromkeys(name for _, model in models for name in model["decision_curve"]))
    return [
        _decision_curve(name, curves)
        for name in classes[:MOST_CLASSES]
        if (curves := {role: c for role, m in models if (c := m["decision_curve"].get(name))})
    ]


def _decision_curve(name: str, curves: Mapping[str, Mapping[str, Any]]) -> Markup:
    first = next(iter(curves.values()))
    top = max(max(curve["net_benefit"]) for curve in curves.values())

    def paint(axes: Axes) -> None:
        axes.plot(first["threshold"], first["treat_all"], color=MUTED, linewidth=1, label="all")
        axes.axhline(0, color=LINE, linewidth=1, label="none")
        for role, curve in curves.items():
            axes.plot(
                curve["threshold"],
                curve["net_benefit"],
                color=COLOURS[role],
                linestyle=STYLES[role],
                label=role,
            )
        axes.set(xlim=(0, 1), ylim=(_LOWEST, max(0.05, top * 1.08)))
        axes.set(xlabel="Threshold probability", ylabel="Net benefit", title=f"Acting on {name}")
        axes.legend(loc="upper right")

    said = [f"{role} better than all and none {_range(c['useful'])}" for role, c in curves.items()]
    return draw(paint, **SQUARE, label=f"Decision curve of {name}: {'; '.join(said)}")


def selective(metrics: Mapping[str, Any]) -> list[Markup]:
    """Accuracy over the share of answers that are given; empty without one."""
    curves = {role: model["selective"] for role, model in present(metrics) if model["selective"]}
    if not curves:
        return []

    what = next(iter(curves.values()))["of"]

    def paint(axes: Axes) -> None:
        for role, curve in curves.items():
            axes.plot(
                curve["coverage"],
                curve["accuracy"],
                color=COLOURS[role],
                linestyle=STYLES[role],
                label=role,
            )
        axes.set(xlim=(0, 1.02), xlabel="Share that is answered", ylabel=what.capitalize())
        axes.set(title="Answering only what it is sure of")
        axes.legend(loc="lower left")

    said = "; ".join(
        f"{role} from {number(curve['accuracy'][-1])} on all" for role, curve in curves.items()
    )
    return [draw(paint, **SQUARE, label=f"{what.capitalize()} over coverage: {said}")]


def _range(useful: list[float] | None) -> str:
    return "nowhere" if useful is None else f"from {useful[0]:.2f} to {useful[1]:.2f}"
