"""Which images are explained, and for which class each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medistill.stages.data import Prepared


def choose_rows(prepared: Prepared, rows: Sequence[int], most: int) -> list[int]:
    """Rows of different groups, the classes in turns, so that any first few are of all classes.

    Within a class the contents' hashes decide, which no file name or order of a folder does.

    Args:
        prepared: the data stage.
        rows: of the part *evaluate*.
        most: how many at most.

    Returns:
        Of labels that are not exclusive, only images that have one; where there are masks, only
        images with a mask and of another class than the first, which shows nothing, if there are
        any.
    """
    groups = {row: prepared.images.samples[row].group for row in rows}
    waiting: dict[int, list[int]] = {}
    for row in sorted(_telling(prepared, rows), key=lambda row: prepared.store.hashes[row]):
        waiting.setdefault(explained_class(prepared, row), []).append(row)
    chosen: dict[str, int] = {}
    while waiting and len(chosen) < most:
        for class_ in sorted(waiting):
            left = [row for row in waiting.pop(class_) if groups[row] not in chosen]
            if left and len(chosen) < most:
                chosen[groups[left[0]]] = left[0]
                waiting[class_] = left[1:]
    return list(chosen.values())


def explained_class(prepared: Prepared, row: int) -> int:
    """The true class; of labels that are not exclusive the rarest that the image has."""
    if prepared.images.task != "multi-label":
        return int(prepared.labels[row].argmax())
    counts = np.nansum(prepared.labels, axis=0)
    return int(np.where(prepared.labels[row] == 1, counts, np.inf).argmin())


def _telling(prepared: Prepared, rows: Sequence[int]) -> Sequence[int]:
    samples = prepared.images.samples
    if prepared.images.task == "multi-label":
        return [row for row in rows if (prepared.labels[row] == 1).any()]
    marked = [row for row in rows if samples[row].mask is not None and samples[row].label != 0]
    return marked or rows
