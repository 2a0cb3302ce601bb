"""The part ``decisions`` of metrics.json: how far each model's answers may be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medistill.core.types import Task
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.decision_curve import THRESHOLDS, net_benefit, treat_all, useful_range
from medistill.evaluate.examined import Examined, groups_of, labels_of
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_confidence import error_detection
from medistill.evaluate.operating import Wish
from medistill.evaluate.operating_values import operating_values, pointed
from medistill.evaluate.reliability_measures import measures
from medistill.evaluate.selective import (
    confidence_and_hits,
    mask_confidence_and_dice,
    selective_values,
)
from medistill.evaluate.set_values import set_values
from medistill.evaluate.shares import Clusters, clusters, mean
from medistill.evaluate.strange import StrangeSet, strange_values

MOST_CLASSES = 20
NOT_FOR_MASKS = {
    "thresholds": "a mask takes the most probable class of each pixel",
    "decision_curve": "a mask is not one decision",
}


def decision_values(
    examined: Mapping[str, Sequence[Examined]],
    *,
    task: Task,
    classes: Sequence[str],
    word: str,
    wish: Wish | None = None,
    named: str | None = None,
    strange: Mapping[str, Mapping[str, StrangeSet]] | None = None,
) -> dict[str, Any]:
    """Everything that was fitted on *calibrate*, judged on *evaluate*, by role.

    Args:
        examined: for each role its first seed, fold by fold.
        task: what the labels are.
        classes: names in the order of the logits.
        word: what a group is called.
        wish: the shipped operating point.
        named: class that operating points are about, where the wish names none.
        strange: for each role what it said of images of other kinds.

    Returns:
        For each role ``temperature`` (of each fold, or of each label of the first), ``refusals``,
        ``positive`` (the one class that operating points are about, None where there is no such),
        ``calibration`` (``before`` and ``after``, see ``reliability_measures.measures``),
        ``operating``, ``sets``, ``selective``, ``decision_curve`` (by class) and ``strange``.
        A JSON value without NaN.
    """
    positive = wish.positive if wish is not None and wish.positive else named
    return {
        role: _of_model(folds, task, classes, word, wish, positive, (strange or {}).get(role, {}))
        for role, folds in examined.items()
        if folds
    }


def _of_model(
    folds: Sequence[Examined],
    task: Task,
    classes: Sequence[str],
    word: str,
    wish: Wish | None,
    named: str | None,
    strange: Mapping[str, StrangeSet],
) -> dict[str, Any]:
    labels, drawn = labels_of(folds), clusters(groups_of(folds), word=word)
    masks = task == "segmentation"
    before = np.concatenate([f.chances(task=task, calibrated=False) for f in folds])
    after = np.concatenate([f.chances(task=task) for f in folds])
    fold = np.repeat(np.arange(len(folds)), [len(each.evaluate.labels) for each in folds])
    counted = _counted(folds, fold, task)
    columns = pointed(task, classes, named)
    return {
        "temperature": _temperatures(folds),
        "refusals": _refusals(folds, task),
        "positive": classes[columns[0]] if task == "single-label" and columns else None,
        "calibration": {
            when: measures(chances, labels, task=task, classes=classes, counted=counted, folds=fold)
            for when, chances in (("before", before), ("after", after))
        },
        "operating": operating_values(
            folds, task=task, classes=classes, wish=wish, drawn=drawn, named=named
        ),
        "sets": set_values(folds, task=task, classes=classes, drawn=drawn),
        "selective": _selective(after, labels, task, drawn),
        "decision_curve": _curves(after, labels, task, classes, columns),
        "strange": strange_values(folds[0], strange, task=task, word=word),
        "uncertainty": _uncertainty(after, labels, drawn) if masks else None,
    }


def _refusals(folds: Sequence[Examined], task: Task) -> dict[str, str]:
    """What was not fitted, and what does not apply."""
    return {
        **folds[0].fitted.decisions.refusals,
        **(NOT_FOR_MASKS if task == "segmentation" else {}),
    }


def _counted(folds: Sequence[Examined], fold: Ints, task: Task) -> tuple[int, ...] | None:
    """Labels that means are over, as in the metrics; None where labels are exclusive."""
    if task != "multi-label":
        return None
    labels = labels_of(folds)
    table = LabelPredictions(
        names=[str(row) for row in range(len(labels))],
        groups=[f"{n} {group}" for n, group in zip(fold, groups_of(folds), strict=True)],
        labels=labels,
        probabilities=np.zeros(labels.shape),
        folds=fold,
    )
    return table.counted


def _temperatures(folds: Sequence[Examined]) -> list[float]:
    first = folds[0].fitted.calibration
    return list(first.labels) or [fold.fitted.calibration.temperature for fold in folds]


def _selective(
    chances: Floats, labels: np.ndarray, task: Task, drawn: Clusters
) -> dict[str, Any] | None:
    """Accuracy of the answers that are given; of masks their mean Dice."""
    if task == "segmentation":
        promised, dice = mask_confidence_and_dice(chances, labels)
        return {"of": "dice", **selective_values(promised, dice, drawn)}
    sure, right = confidence_and_hits(chances, labels, task=task)
    if not sure.size:
        return None
    index = drawn.index
    if task == "multi-label":
        index = np.repeat(index, chances.shape[1])[np.isfinite(labels).ravel()]
    grouped = Clusters(index=index, counts=drawn.counts, word=drawn.word)
    return {"of": "accuracy", **selective_values(sure, right, grouped)}


def _uncertainty(chances: Floats, labels: np.ndarray, drawn: Clusters) -> dict[str, Any]:
    """Whether the map of uncertainty knows where the mask is wrong: mean AUROC over images."""
    areas = error_detection(chances, labels)
    return {
        "error_auroc": mean(areas, None, drawn).to_json(),
        "wrong": int(np.isfinite(areas).sum()),
    }


def _curves(
    chances: Floats, labels: np.ndarray, task: Task, classes: Sequence[str], pointed: Sequence[int]
) -> dict[str, Any]:
    """Decision curves of the class that matters of two, or of each, that one first; none of masks.

    Args:
        chances: probabilities, (N, K).
        labels: the truth.
        task: what the labels are.
        classes: names.
        pointed: columns that operating points are about.
    """
    if task == "segmentation":
        return {}
    columns = list(pointed)
    if task == "single-label" and len(classes) > 2:
        columns += [column for column in range(len(classes)) if column not in pointed]
    return {
        classes[c]: _curve(chances[:, c], labels[:, c] if task == "multi-label" else labels == c)
        for c in columns[:MOST_CLASSES]
    }


def _curve(chances: Floats, labels: np.ndarray) -> dict[str, Any] | None:
    known = np.isfinite(labels.astype(np.float64))
    positive = labels[known] == 1
    if positive.all() or not positive.any():
        return None
    benefit, everybody = net_benefit(chances[known], positive), treat_all(positive)
    return {
        "threshold": THRESHOLDS.tolist(),
        "net_benefit": [round(float(value), 5) for value in benefit],
        "treat_all": [round(float(value), 5) for value in everybody],
        "useful": useful_range(benefit, everybody),
    }
