"""What the report draws of a model: confusion, reliability, curves; None or empty where none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from medistill.evaluate.calibration import BINS, ReliabilityBin, reliability, reliability_of
from medistill.evaluate.curves import precision_recall, roc
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.metrics import confusion
from medistill.evaluate.predictions import Predictions


def diagrams(table: Table, classes: Sequence[str]) -> dict[str, Any]:
    """``confusion``, ``reliability`` (bins, by what they are about), ``roc``, ``precision_recall``.

    Args:
        table: one model.
        classes: names of the classes or labels that the table has figures of.
    """
    named = list(enumerate(classes))
    curved = table if isinstance(table, Predictions | LabelPredictions) else None
    return {
        "confusion": _confusion(table),
        "reliability": {name: [asdict(b) for b in bins] for name, bins in _bins(table, classes)},
        "roc": {name: roc(curved, c) for c, name in named} if curved else {},
        "precision_recall": {n: precision_recall(curved, c) for c, n in named} if curved else {},
    }


def _confusion(table: Table) -> list[list[int]] | None:
    if not isinstance(table, Predictions):
        return None
    counts: list[list[int]] = confusion(table.labels, table.probabilities).astype(int).tolist()
    return counts


def _bins(table: Table, classes: Sequence[str]) -> list[tuple[str, list[ReliabilityBin]]]:
    if isinstance(table, Predictions):
        return [("all", reliability(table.labels, table.probabilities))]
    if isinstance(table, MaskScores):
        return [("pixels", pixel_reliability(table))]
    if not isinstance(table, LabelPredictions):
        return []
    known: Mapping[str, np.ndarray] = {
        name: np.isfinite(table.labels[:, column]) for column, name in enumerate(classes)
    }
    return [
        (name, reliability_of(table.probabilities[rows, c], table.labels[rows, c]))
        for c, (name, rows) in enumerate(known.items())
        if rows.any()
    ]


def pixel_reliability(table: MaskScores) -> list[ReliabilityBin]:
    """The bins that hold pixels, over all images; ``images`` counts pixels."""
    sums = table.pixels.sum(axis=0)[: 3 * BINS].reshape(3, BINS)
    return [
        ReliabilityBin(
            low=bin_ / BINS,
            high=(bin_ + 1) / BINS,
            images=int(pixels),
            probability=float(stated / pixels),
            frequency=float(hits / pixels),
        )
        for bin_, (pixels, stated, hits) in enumerate(sums.T)
        if pixels > 0
    ]
