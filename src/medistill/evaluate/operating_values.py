"""What operating points chosen on *calibrate* do on *evaluate*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from medistill.bundle.calibration import decide
from medistill.core.types import Task
from medistill.evaluate.examined import Examined, labels_of
from medistill.evaluate.intervals import Estimate
from medistill.evaluate.operating import Wish, choose_thresholds
from medistill.evaluate.shares import Clusters, share

ONE_ANSWER = "all images or none are of the class"
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
    named: str | None = None,
) -> list[dict[str, Any]]:
    """Confusion at each operating point, with intervals; the shipped one first.

    Args:
        folds: one model, fold by fold; each chooses on its own *calibrate*. A bundle, which brings
            none, has the thresholds that it ships and no others.
        task: what the labels are; masks have no operating point.
        classes: names.
        wish: what is shipped; None for the most probable class.
        drawn: groups of *evaluate* of all folds.
        named: class that the points are about, where the wish names none.

    Returns:
        For each point and class: ``rule``, ``wished``, ``class``, ``shipped``, and either
        ``reason`` or ``threshold`` (mean over folds), ``confusion`` (``hits``, ``misses``,
        ``false_alarms``, ``rejections``), ``sensitivity``, ``specificity``,
        ``positive_predictive_value`` and ``negative_predictive_value``.
    """
    positive = wish.positive if wish is not None and wish.positive else named
    choosing = all(fold.calibrate is not None for fold in folds)
    others = [Wish(rule=w.rule, value=w.value, positive=positive) for w in USUAL if choosing]
    shipped = None if wish is None else replace(wish, positive=positive)
    wishes = ([shipped] if shipped else []) + [other for other in others if other != shipped]
    columns = pointed(task, classes, positive)
    return [
        {**_point(folds, task, classes, each, column, drawn), "shipped": each == shipped}
        for each in wishes
        for column in columns
    ]


def pointed(task: Task, classes: Sequence[str], named: str | None) -> Sequence[int]:
    """Columns of the classes that operating points are about.

    Every label; the named one of exclusive classes, else the second of two. None of masks, and none
    of more classes where which one matters is not said.
    """
    if task == "segmentation":
        return ()
    if task == "multi-label":
        return range(len(classes))
    if named is not None:
        return (list(classes).index(named),)
    return (len(classes) - 1,) if len(classes) <= 2 else ()


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
    predictive = {
        "positive_predictive_value": share(positive, called & known, drawn),
        "negative_predictive_value": share(~positive, ~called & known, drawn),
    }
    if not (there.any() and absent.any()):
        # They would say how frequent the class is here, and nothing of the model.
        predictive = dict.fromkeys(predictive, Estimate(estimate=None, reason=ONE_ANSWER))
    return {
        "confusion": {
            "hits": int((called & there).sum()),
            "misses": int((~called & there).sum()),
            "false_alarms": int((called & absent).sum()),
            "rejections": int((~called & absent).sum()),
        },
        "sensitivity": share(called, there, drawn).to_json(),
        "specificity": share(~called, absent, drawn).to_json(),
        **{name: value.to_json() for name, value in predictive.items()},
    }
