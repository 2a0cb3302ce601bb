"""Curves of a model for the report, as short lists of numbers.

With folds, a curve is the mean of the folds' curves at the same false-positive rate or recall
(vertical averaging, Fawcett 2006, Pattern Recognition Letters 27:861).
"""

from __future__ import annotations

import numpy as np

from medistill.evaluate.arrays import Floats
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.predictions import Predictions

GRID = np.linspace(0.0, 1.0, 201)


def roc(table: Predictions | LabelPredictions, class_: int) -> dict[str, list[float]] | None:
    """Sensitivity at 201 false-positive rates, of a class against the rest.

    None where the class or its rest is absent from a fold.
    """
    curves = [_fold_roc(*part) for part in _parts(table, class_)]
    if any(curve is None for curve in curves):
        return None
    return {"false_positive_rate": _short(GRID), "sensitivity": _mean_curve(curves)}


def precision_recall(
    table: Predictions | LabelPredictions, class_: int
) -> dict[str, list[float]] | None:
    """Precision at 201 values of recall; None where the class or its rest is absent from a fold."""
    curves = [_fold_precision(*part) for part in _parts(table, class_)]
    if any(curve is None for curve in curves):
        return None
    return {"recall": _short(GRID), "precision": _mean_curve(curves)}


def _parts(table: Predictions | LabelPredictions, class_: int) -> list[tuple[Floats, Floats]]:
    inside, outside = table.members[class_]
    known, truth = inside | outside, inside.astype(np.float64)
    scores = table.probabilities[:, class_]
    return [(truth[rows], scores[rows]) for fold in table.fold_rows for rows in [fold[known[fold]]]]


def _cumulated(truth: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """True and false positives at every distinct threshold, from none to all."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), truth.size - 1)
    found = np.cumsum(truth[order])[ends]
    return np.append(0.0, found), np.append(0.0, ends + 1 - found)


def _fold_roc(truth: Floats, scores: Floats) -> Floats | None:
    if not truth.size:
        return None
    found, false = _cumulated(truth, scores)
    if not found[-1] or not false[-1]:
        return None
    rate, sensitivity = false / false[-1], found / found[-1]
    # At a vertical step the curve takes its upper end; ties are joined by a straight line.
    upper = np.append(np.flatnonzero(np.diff(rate) > 0), rate.size - 1)
    return np.asarray(np.interp(GRID, rate[upper], sensitivity[upper]))


def _fold_precision(truth: Floats, scores: Floats) -> Floats | None:
    if not truth.size:
        return None
    found, false = _cumulated(truth, scores)
    if not found[-1] or not false[-1]:
        return None
    recall, precision = found[1:] / found[-1], found[1:] / (found[1:] + false[1:])
    reached = np.searchsorted(recall, GRID - 1e-12, side="left")
    return np.asarray(precision[np.minimum(reached, recall.size - 1)])


def _mean_curve(curves: list[Floats | None]) -> list[float]:
    return _short(np.mean([curve for curve in curves if curve is not None], axis=0))


def _short(values: Floats) -> list[float]:
    return [round(float(value), 4) for value in values]
