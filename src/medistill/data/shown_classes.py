"""Which classes a mask shows, as the label of its image: for counts and for balanced parts.

Torch-free.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from medistill.core.types import Plane
from medistill.data.processes import in_order
from medistill.imaging.nifti import slice_count, slice_of
from medistill.imaging.volume import OpenVolume

Shown = tuple[float, ...]


def shown_classes(values: Collection[int], classes: int) -> Shown:
    """1 for each class that is there, and 0 for the others; the background counts as there.

    Args:
        values: every value of the mask.
        classes: number of classes with background; of two, any value above 0 is the foreground.
    """
    held = {min(value, 1) for value in values} if classes == 2 else set(values)
    return (1.0, *(float(number in held) for number in range(1, classes)))


def shown_in_slices(
    paths: Sequence[Path], *, plane: Plane, classes: int, workers: int = 0
) -> list[list[Shown]]:
    """Which classes every slice of label maps shows, from the first slice to the last.

    Args:
        paths: label maps whose values are known to be classes.
        plane: along which plane they are cut.
        classes: number of classes with background.
        workers: processes that read them; 0 reads here.

    Raises:
        DataError: a label map is damaged.
    """
    read = partial(_slices, plane=plane, classes=classes)
    return list(in_order(paths, read, workers=workers))


def _slices(path: Path, *, plane: Plane, classes: int) -> list[Shown]:
    volume = OpenVolume(path)
    try:
        found = []
        for number in range(slice_count(path, plane)):
            pixels, _ = slice_of(volume.image, where=path, frame=number, plane=plane)
            values = np.flatnonzero(np.bincount(pixels.astype(np.int64).ravel()))
            found.append(shown_classes(values.tolist(), classes))
        return found
    finally:
        volume.close()
