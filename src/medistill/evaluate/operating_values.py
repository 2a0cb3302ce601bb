"""What operating points chosen on *calibrate* do on *evaluate*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medistill.bundle.calibration import decide
from medistill.core.types import Task
from medistill.evaluate.examined import Examined, labels_of
from medistill.evaluate.operating import Wish, choose_thresholds
from medistill.evaluate.shares import Clusters, share

USUAL = (
    Wish(rule="sensitivity", value=0.9),
    Wish(rule="specificity", value=0.9),
    Wish(rule="youden"),
)


def operating_values(
    folds: Sequence[Examined],
    *,
    task: Task,
    classes: Sequence[str],
    wish: Wish | None,
    drawn: Clusters,
) -> list[dict[str, Any]]:
    """Confusion at each operating point, with intervals; the shipped one first.

    Args:
        folds: one model, fold by fold; each chooses on its own *calibrate*. A bundle, which brings
            none, has the thresholds that it ships and no others.
        task: what the labels are; masks have no operating point.
        classes: names.
        wish: what is shipped; None for the most probable class.
        drawn: groups of *evaluate* of all folds.

    Returns:
        For each point and class: ``rule``, ``wished``, ``class``, ``shipped``, and either
        ``reason`` or ``threshold`` (mean over folds), ``confusion`` (``hits``, ``misses``,
        ``false_alarms``, ``rejections``), ``sensitivity``, ``specificity``,
        ``positive_predictive_value`` and ``negative_predictive_value``.
    """
    positive = wish.positive if wish is not None else None
    if task == "segmentation" or no_points(task, classes, wish):
        return []
    choosing = all(fold.calibrate is not None for fold in folds)
    others = [Wish(rule=w.rule, value=w.value, positive=positive) for w in USUAL if choosing]
    wishes = ([wish] if wish else []) + [other for other in others if other != wish]
    column = list(classes).index(positive) if positive else len(classes) - 1
    columns = range(len(classes)) if task == "multi-label" else [column]
    return [
        {**_point(folds, task, classes, each, column, drawn), "shipped": each == wish}
        for each in wishes
        for column in columns
    ]


def no_points(task: Task, classes: Sequence[str], wish: Wish | None) -> str | None:
    """Why there are none whatever the images say, as a clause: which class matters is not said."""
    named = wish is not None and wish.positive
    if task != "single-label" or named or len(classes) <= 2:
        return None
    return (
        f"with {len(classes)} classes an operating point is of one against the others, and none is "
        "named (decide.positive)"
    )


def _point(
    folds: Sequence[Examined],
    task: Task,
    classes: Sequence[str],
    wish: Wish,
    column: int,
    drawn: Clusters,
) -> dict[str, Any]:
    head = {"rule": wish.rule, "wished": wish.value, "class": classes[column]}
    called, limits = [], []
    for fold in folds:
        thresholds, reasons = _thresholds(fold, task, classes, wish, drawn.word)
        refused = reasons.get("thresholds") or reasons.get(f"thresholds.{classes[column]}")
        if refused:
            return {**head, "reason": refused}
        chances = fold.chances(task=task)
        held = decide(chances, task=task, classes=classes, thresholds=thresholds)
        called.append(held[:, column])
        limits.append(thresholds[classes[column]])
    return {**head, "threshold": float(np.mean(limits))} | _confusion(
        np.concatenate(called), *_truth(labels_of(folds), column, task), drawn
    )


def _thresholds(
    fold: Examined, task: Task, classes: Sequence[str], wish: Wish, word: str
) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Those that *calibrate* gives, else those that are shipped; and why any is missing."""
    asked = fold.calibrate
    if asked is None:
        return fold.fitted.thresholds, fold.fitted.decisions.refusals
    thresholds, _, reasons = choose_thresholds(
        fold.chances(asked, task=task),
        asked.labels,
        asked.groups,
        task=task,
        classes=classes,
        wish=wish,
        word=word,
    )
    return thresholds, reasons


def _truth(labels: np.ndarray, column: int, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Whether the class is there, and whether that is known."""
    if task == "multi-label":
        return labels[:, column] == 1, np.isfinite(labels[:, column])
    return labels == column, np.ones(labels.size, dtype=bool)


def _confusion(
    called: np.ndarray, positive: np.ndarray, known: np.ndarray, drawn: Clusters
) -> dict[str, Any]:
    there, absent = positive & known, ~positive & known
    return {
        "confusion": {
            "hits": int((called & there).sum()),
            "misses": int((~called & there).sum()),
            "false_alarms": int((called & absent).sum()),
            "rejections": int((~called & absent).sum()),
        },
        "sensitivity": share(called, there, drawn).to_json(),
        "specificity": share(~called, absent, drawn).to_json(),
        "positive_predictive_value": share(positive, called & known, drawn).to_json(),
        "negative_predictive_value": share(~positive, ~called & known, drawn).to_json(),
    }
