"""How many images came, were left out, and went where: the data flow of a study."""

from __future__ import annotations

from collections.abc import Sequence
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
        "unlabelled": len(prepared.unlabelled),
        "removed": prepared.removed,
        "parts": {
            name: _part(prepared, rows) for name, rows in prepared.parts[fold].named().items()
        },
    }


def other_flow(
    prepared: Prepared, rows: Sequence[int], silent: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """The same of another set that is judged as a whole, all of it *evaluate*.

    Args:
        prepared: the set.
        rows: of the images that were judged.
        silent: name and reason of those that could be read and were not judged.

    Returns:
        As :func:`data_flow`; ``listed`` images; ``unreadable``: ``name`` and ``reason`` of those
        that were not judged; ``external``: true.
    """
    unreadable = [*prepared.store.skipped, *silent]
    return {
        "external": True,
        "folds": 1,
        "listed": len(rows) + len(unreadable),
        "unreadable": [{"name": name, "reason": reason} for name, reason in unreadable],
        "stored": len(rows),
        "labelled": len(rows),
        "unlabelled": 0,
        "removed": 0,
        "parts": {"evaluate": _part(prepared, tuple(rows))},
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
