"""How many images came, were left out, and went where: the data flow of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.unlabelled import is_labelled


def data_flow(context: Context, prepared: Prepared) -> dict[str, Any]:
    """Counts of the first fold, ready for JSON.

    Returns:
        ``folds``; ``listed`` images and the ``unreadable`` ones among them (``name`` and
        ``reason``); ``stored`` images, ``labelled`` (with a label or a mask), ``unlabelled`` that
        were used, ``removed`` because their group lies in *evaluate*; ``parts``: for each part
        ``images``, ``groups`` and images by class, for masks those that show it.
    """
    samples, fold = prepared.images.samples, context.folds()[0]
    unreadable = [{"name": name, "reason": why} for name, why in prepared.store.skipped]
    return {
        "folds": len(context.folds()),
        "listed": len(samples) + len(unreadable),
        "unreadable": unreadable,
        "stored": len(samples),
        "labelled": sum(is_labelled(sample) for sample in samples),
        "unlabelled": len(prepared.unlabelled[fold].rows),
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
    return {
        "images": len(rows),
        "groups": len({images.samples[row].group for row in rows}),
        "classes": dict(zip(images.classes, _by_class(prepared, rows), strict=True)),
    }


def _by_class(prepared: Prepared, rows: tuple[int, ...]) -> list[int]:
    """Images of each class."""
    classes, masks = len(prepared.images.classes), prepared.masks
    if masks is None:
        return [int(count) for count in (prepared.labels[list(rows)] > 0.5).sum(axis=0)]
    counts = np.zeros(classes, dtype=np.int64)
    for row in rows:
        counts += np.isin(np.arange(classes), masks[row])
    return counts.tolist()
