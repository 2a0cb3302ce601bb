"""The report: one HTML file that needs nothing else and asks nothing of any server."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from medistill.core.files import write_text
from medistill.report import (
    decision_plots,
    decision_tables,
    decision_words,
    flow_table,
    plots,
    tables,
)
from medistill.report.checklists import PLACES, checklists
from medistill.report.explained import Explained
from medistill.report.harm_table import harm_table, has_subgroups
from medistill.report.histories import best_column, read_curves
from medistill.report.page import filled
from medistill.report.pictures import Picture

__all__ = ["Picture", "write_report"]

REPORT = "report.html"
HEADLINES = (
    "accuracy",
    "balanced_accuracy",
    "iou",
    "average_precision",
    "hd95",
    "calibration_error",
)
PANELS = 4


def write_report(
    folder: Path,
    metrics: Mapping[str, Any],
    *,
    predictions: Mapping[str, Path] | None = None,
    histories: Mapping[str, Path] | None = None,
    pictures: Sequence[Picture] = (),
    recipe_text: str = "",
    provenance: Mapping[str, Any] | None = None,
    title: str = "Did distilling help?",
    explanation: Explained | None = None,
) -> Path:
    """Write ``report.html``: the answer, then the evidence, then how it was made.

    Args:
        folder: where the file goes; it is replaced atomically.
        metrics: content of metrics.json.
        predictions: tables of predictions by name; the report links to them.
        histories: learning curves by role; missing files are left out.
        pictures: the worst mistakes.
        recipe_text: the recipe as YAML.
        provenance: names and values, nested at will: versions, hashes, hardware.
        title: heading of the page.
        explanation: where the models look; None leaves that section out.

    Returns:
        Path of the report.
    """
    given: dict[str, Any] = {
        "title": title,
        "m": metrics,
        "answer": metrics["answer"],
        "columns": tables.columns(metrics),
        "overall": tables.overall(metrics),
        "per_class": tables.per_class(metrics),
        "confusions": tables.confusions(metrics),
        "harm": harm_table(metrics),
        "sizes": tables.sizes(metrics),
        "seeds": tables.seeds(metrics),
        "panels": _panels(metrics, histories or {}),
        "pictures": pictures,
        "recipe_text": recipe_text,
        "start": (provenance or {}).get("start"),
        "provenance": list(tables.flat(provenance or {})),
        "files": _links(folder, predictions or {}),
        "decisions": _decisions(metrics),
        "flow": flow_table.flow(metrics),
        "left_out": flow_table.left_out(metrics),
        "explanation": explanation,
        "not_explained": explanation is None and metrics["task"] == "segmentation",
    }
    shown = _shown(metrics, given)
    page = filled("report.html", **given, shown=shown, places=PLACES, checklists=checklists(shown))
    write_text(folder / REPORT, page)
    return folder / REPORT


def _shown(metrics: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Parts of this page that a checklist may point to."""
    decisions = given["decisions"]
    held = {
        "subgroups": has_subgroups(metrics),
        "calibration": decisions["calibration"],
        "points": decisions["operating"],
        # One row says how often known images are stopped; the others are of other kinds.
        "strange": decisions["strange"] and len(decisions["strange"].rows) > 1,
        "explanation": given["explanation"],
        "learning": given["panels"]["learning"],
        "mistakes": given["pictures"],
        "sizes": given["sizes"][1],
        "flow": given["flow"],
        "external": tables.is_external(metrics),
        "left-out": given["left_out"],
        "provenance": given["provenance"],
        "start": given["start"],
        "recipe": given["recipe_text"],
    }
    return {name for name in PLACES if held.get(name, True)}


def _panels(metrics: Mapping[str, Any], histories: Mapping[str, Path]) -> dict[str, list[Markup]]:
    """All plots by the section they belong to."""
    head, known = metrics["headline"], metrics["metrics"]
    names = [head, *(name for name in HEADLINES if name != head and name in known)]
    if len(names) > PANELS:  # calibration is always among them
        names = [*names[: PANELS - 1], "calibration_error"]
    shown = _curved(metrics)[: plots.MOST_CLASSES]
    return {
        "forest": [plots.forest(metrics, name) for name in names],
        "roc": [plots.roc(metrics, class_) for class_ in shown],
        "precision_recall": [plots.precision_recall(metrics, class_) for class_ in shown],
        "reliability": plots.reliabilities(metrics),
        "seeds": [plots.seed_spread(metrics)] if tables.seeds(metrics) else [],
        "learning": _learning(metrics, histories),
    }


def _curved(metrics: Mapping[str, Any]) -> list[str]:
    """Classes that have curves; of two exclusive ones the second."""
    named = list(metrics["models"]["student"]["roc"])
    two = metrics["task"] == "single-label" and len(named) == 2
    return named[1:] if two else named


def _decisions(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Tables and plots of the section on trust."""
    return {
        "external": tables.is_external(metrics),
        "calibration": decision_tables.calibration(metrics),
        "operating": decision_tables.operating(metrics),
        "sets": decision_tables.sets(metrics),
        "selective": decision_tables.selective(metrics),
        "strange": decision_tables.strange(metrics),
        "uncertainty": decision_tables.uncertainty(metrics),
        "refusals": decision_words.refusals(metrics),
        "unnamed": decision_words.unnamed(metrics),
        "uncalibrated": decision_words.uncalibrated(metrics),
        "curves": decision_plots.decision_curves(metrics),
        "selective_plot": decision_plots.selective(metrics),
    }


def _learning(metrics: Mapping[str, Any], histories: Mapping[str, Path]) -> list[Markup]:
    """Score on the selection part of all models, then the loss of each."""
    found = {role: read_curves(histories[role]) for role in tables.ROLES if role in histories}
    curves = {role: curve for role, curve in found.items() if curve}
    name = metrics["headline"]
    scores = {
        role: (curve.epochs, column)
        for role, curve in curves.items()
        if (column := best_column(curve, name)) and not all(map(math.isnan, column))
    }
    panels = [plots.selection(scores, metrics["metrics"][name]["title"])] if scores else []
    return panels + [
        plots.losses(role, curve.epochs, curve.terms)
        for role, curve in curves.items()
        if curve.terms
    ]


def _links(folder: Path, files: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Names and addresses relative to the report."""
    relative = {
        name: Path(os.path.relpath(path, folder)).as_posix() for name, path in files.items()
    }
    return [(name, quote(path)) for name, path in relative.items()]
