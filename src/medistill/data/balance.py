"""How often images are shown, so that rare classes are not drowned by frequent ones. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.float32]


def balanced_shares(
    labels: Labels, rows: Sequence[int], balance: float
) -> NDArray[np.float64] | None:
    """Share of the shows that each row gets.

    A class of n images gets shows in proportion to n^(1 - balance), divided evenly among its
    images. Unlabelled images keep the share that they have among all.

    Args:
        labels: (N, K) one-hot, or NaN in the rows of unlabelled images.
        rows: the n rows that are shown.
        balance: 0 shows every image equally often, 1 every class.

    Returns:
        (n,) above 0 and of the sum 1; None where all rows are alike.
    """
    chosen = labels[list(rows)]
    labelled = ~np.isnan(chosen).any(axis=1)
    if balance == 0 or not labelled.any():
        return None
    classes = np.nan_to_num(chosen).argmax(axis=1)
    counts = np.bincount(classes[labelled], minlength=labels.shape[1])
    weights = np.ones(len(chosen), dtype=np.float64)
    weights[labelled] = counts[classes[labelled]] ** -float(balance)
    weights[labelled] *= labelled.sum() / weights[labelled].sum()
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
