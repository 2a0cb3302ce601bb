"""The images on which a model is most surely wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong prediction.

    Attributes:
        row: row number in the table.
        name: name of the image.
        group: its group.
        label: true class index; of labels that are not exclusive the one that was misjudged.
        predicted: predicted class index; the same as ``label`` where a label was misjudged.
        probability: of what was wrongly said.
    """

    row: int
    name: str
    group: str
    label: int
    predicted: int
    probability: float

    def in_words(self, classes: Sequence[str]) -> str:
        """For example ``normal, taken for lesion with 93%``, or ``nodule, missed with 8%``."""
        chance = f"{self.probability:.0%}"
        if self.label != self.predicted:
            return f"{classes[self.label]}, taken for {classes[self.predicted]} with {chance}"
        how = "missed" if self.probability < 0.5 else "wrongly found"
        return f"{classes[self.label]}, {how} with {chance}"


def worst_mistakes(table: Predictions | LabelPredictions, *, count: int = 12) -> list[Mistake]:
    """At most ``count`` wrong predictions, the surest first and one a group."""
    found = _labels(table) if isinstance(table, LabelPredictions) else _classes(table)
    mistakes: dict[str, Mistake] = {}
    for row, label, predicted, chance in found:
        mistake = Mistake(
            row=row,
            name=table.names[row],
            group=table.groups[row],
            label=label,
            predicted=predicted,
            probability=chance,
        )
        mistakes.setdefault(mistake.group, mistake)
    return list(mistakes.values())[:count]


def _classes(table: Predictions) -> list[tuple[int, int, int, float]]:
    predicted = table.probabilities.argmax(axis=1)
    confidence = table.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != table.labels)
    return [
        (row, int(table.labels[row]), int(predicted[row]), float(confidence[row]))
        for row in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist()
    ]


def _labels(table: LabelPredictions) -> list[tuple[int, int, int, float]]:
    off = np.nan_to_num(np.abs(table.probabilities - table.labels), nan=0.0)
    rows, columns = np.nonzero(off > 0.5)
    order = np.argsort(-off[rows, columns], kind="stable")
    return [
        (int(rows[n]), int(columns[n]), int(columns[n]), float(table.probabilities[rows[n], c]))
        for n in order.tolist()
        for c in [int(columns[n])]
    ]
