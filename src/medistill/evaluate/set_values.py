"""Whether prediction sets hold the truth on *evaluate* as often as they promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medistill.bundle.conformal import class_sets, label_sets
from medistill.core.types import Task
from medistill.evaluate.examined import Examined, labels_of
from medistill.evaluate.shares import Clusters, share


def set_values(
    folds: Sequence[Examined], *, task: Task, classes: Sequence[str], drawn: Clusters
) -> dict[str, Any]:
    """Coverage by class and sizes of the sets, or ``reason``.

    Returns:
        ``level``; ``coverage``: for each class (multi-label: ``<label> present`` and ``<label>
        absent``) the share of its images whose set holds it, with interval; ``sizes``: share of
        sets with no, one and several answers, with intervals.
    """
    fitted = [fold.fitted.decisions for fold in folds]
    missing = [
        each.refusals.get("conformal", "not fitted") for each in fitted if not each.conformal
    ]
    if missing or not folds:
        return {"reason": missing[0] if missing else "not fitted"}
    labels = labels_of(folds)
    if task == "multi-label":
        return _of_labels(folds, labels, tuple(classes), drawn)
    sets = np.concatenate(
        [
            class_sets(fold.chances(task=task), each.conformal, tuple(classes))
            for fold, each in zip(folds, fitted, strict=True)
            if each.conformal
        ]
    )
    coverage = {
        name: share(sets[:, c], labels == c, drawn).to_json() for c, name in enumerate(classes)
    }
    return {**_head(folds), "coverage": coverage, "sizes": _sizes(sets.sum(axis=1), None, drawn)}


def _of_labels(
    folds: Sequence[Examined], labels: np.ndarray, classes: tuple[str, ...], drawn: Clusters
) -> dict[str, Any]:
    sets = np.concatenate(
        [
            label_sets(fold.chances(task="multi-label"), fold.fitted.decisions.conformal, classes)
            for fold in folds
            if fold.fitted.decisions.conformal
        ]
    )
    coverage: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    for c, name in enumerate(classes):
        if any(name not in _quantiles(fold) for fold in folds):
            coverage[name] = {"reason": _reason(folds, name)}
            continue
        for answer, (key, truth) in enumerate((("present", 1), ("absent", 0))):
            among = labels[:, c] == truth
            coverage[f"{name} {key}"] = share(sets[:, c, answer], among, drawn).to_json()
        sizes[name] = _sizes(sets[:, c].sum(axis=1), np.isfinite(labels[:, c]), drawn)
    return {**_head(folds), "coverage": coverage, "sizes": sizes}


def _head(folds: Sequence[Examined]) -> dict[str, Any]:
    conformal = folds[0].fitted.decisions.conformal
    return {"level": conformal.level if conformal else None}


def _quantiles(fold: Examined) -> Sequence[str]:
    conformal = fold.fitted.decisions.conformal
    return list(conformal.quantiles) if conformal else []


def _reason(folds: Sequence[Examined], name: str) -> str:
    found = (fold.fitted.decisions.refusals.get(f"conformal.{name}") for fold in folds)
    return next((text for text in found if text), "too few groups")


def _sizes(sizes: np.ndarray, among: np.ndarray | None, drawn: Clusters) -> dict[str, Any]:
    return {
        "none": share(sizes == 0, among, drawn).to_json(),
        "one": share(sizes == 1, among, drawn).to_json(),
        "several": share(sizes > 1, among, drawn).to_json(),
    }
