"""The images on which a model is most surely wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medistill.evaluate.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong prediction.

    Attributes:
        row: row number in the table.
        name: name of the image.
        group: its group.
        label: true class index.
        predicted: predicted class index.
        probability: of the predicted class.
    """

    row: int
    name: str
    group: str
    label: int
    predicted: int
    probability: float


def worst_mistakes(table: Predictions, *, count: int = 12) -> list[Mistake]:
    """At most ``count`` wrong predictions, the surest first and one a group."""
    predicted = table.probabilities.argmax(axis=1)
    confidence = table.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != table.labels)
    mistakes: dict[str, Mistake] = {}
    for row in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist():
        mistake = Mistake(
            row=row,
            name=table.names[row],
            group=table.groups[row],
            label=int(table.labels[row]),
            predicted=int(predicted[row]),
            probability=float(confidence[row]),
        )
        mistakes.setdefault(mistake.group, mistake)
    return list(mistakes.values())[:count]
