"""Labels as a matrix of numbers. Torch-free."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.core.types import ImageSet, Sample


def labels_matrix(images: ImageSet) -> NDArray[np.float32]:
    """Labels of every row of a set.

    Args:
        images: N samples of K classes.

    Returns:
        float32 of shape (N, K). Single-label: one-hot rows, that is, class probabilities.
        Multi-label: 0, 1, or NaN where unknown. An unlabelled image is a row of NaN.
    """
    rows = [_label_row(sample, len(images.classes)) for sample in images.samples]
    return np.array(rows, dtype=np.float32).reshape(len(images.samples), len(images.classes))


def plain_label(label: int | tuple[float, ...] | None) -> int | list[float | None] | None:
    """A label as JSON has it: unknown classes are null instead of NaN."""
    if isinstance(label, tuple):
        return [None if value != value else value for value in label]
    return label


def label_of(plain: int | list[float | None] | None) -> int | tuple[float, ...] | None:
    """The label that :func:`plain_label` wrote."""
    if isinstance(plain, list):
        return tuple(float("nan") if value is None else float(value) for value in plain)
    return plain


def _label_row(sample: Sample, classes: int) -> NDArray[np.float32]:
    if isinstance(sample.label, tuple):
        return np.array(sample.label, dtype=np.float32)
    if sample.label is None:
        return np.full(classes, np.nan, dtype=np.float32)
    row = np.zeros(classes, dtype=np.float32)
    row[sample.label] = 1
    return row
