"""Array types and the two conventions shared by all metrics: weights and undefined values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def weighting(weights: Floats | None, images: int) -> Floats:
    """Weights of shape (..., N); every image weighs 1 where none are given."""
    return np.ones(images) if weights is None else np.asarray(weights, dtype=np.float64)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient that is NaN, without a warning, where the denominator is not positive."""
    top, bottom = np.broadcast_arrays(numerator, denominator)
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
