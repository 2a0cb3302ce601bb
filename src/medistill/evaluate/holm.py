"""Correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected so that the chance of any false finding among them stays below .05.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6:65 (1979): the k-th smallest of m is multiplied by m - k + 1, never falls below
    the one before, and ends at 1. None (not tested) stays None and is not counted.
    """
    tested = [index for index, p in enumerate(p_values) if p is not None]
    order = sorted(tested, key=lambda index: float(p_values[index] or 0.0))
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * float(p_values[index] or 0.0)))
        corrected[index] = highest
    return corrected
