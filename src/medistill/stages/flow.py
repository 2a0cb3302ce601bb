"""How many images came, were left out, and went where: the data flow of a study."""

from __future__ import annotations

from typing import Any

from medistill.stages.context import Context
from medistill.stages.data import Prepared


def data_flow(context: Context, prepared: Prepared) -> dict[str, Any]:
    """Counts of the first fold, ready for JSON.

    Returns:
        ``folds``; ``stored`` images, ``labelled``, ``unlabelled`` that were used, ``removed``
        because their group lies in *evaluate*; ``parts``: for each part ``images``, ``groups``
        and images by class.
    """
    images, fold = prepared.images, context.folds()[0]
    labelled = sum(sample.label is not None for sample in images.samples)
    return {
        "folds": len(context.folds()),
        "stored": len(images.samples),
        "labelled": labelled,
        "unlabelled": len(prepared.unlabelled[fold].rows),
        "removed": prepared.removed,
        "parts": {
            name: _part(prepared, rows) for name, rows in prepared.parts[fold].named().items()
        },
    }


def _part(prepared: Prepared, rows: tuple[int, ...]) -> dict[str, Any]:
    images = prepared.images
    marks = prepared.labels[list(rows)] > 0.5
    return {
        "images": len(rows),
        "groups": len({images.samples[row].group for row in rows}),
        "classes": {
            name: int(marks[:, column].sum()) for column, name in enumerate(images.classes)
        },
    }
