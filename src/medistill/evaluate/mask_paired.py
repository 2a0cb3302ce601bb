"""P-values of differences between two models' masks, by exchanging the models group by group.

A mean over the images that show a class has a denominator of its own for each model, so the
exchanged difference is computed anew from exchanged sums; it is not a sum of flipped signs.
"""

from __future__ import annotations

import numpy as np

from medistill.evaluate.arrays import Floats, ratio
from medistill.evaluate.mask_metrics import over_classes
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.segmentation import MEASURES

_PIXELS = {"brier": -2, "log_loss": -1}


def mask_p_values(
    first: MaskScores, second: MaskScores, *, flips: int, seed: int
) -> dict[str, list[float | None]]:
    """Two-sided p-values of every metric: one entry, or one a class; None where there is none.

    Args:
        first: one model.
        second: the other, on the same images.
        flips: number of random exchanges.
        seed: of the exchanges.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    exchanged = random.integers(0, 2, size=(flips, first.group_count)).astype(np.float64)
    found: dict[str, list[float | None]] = {"calibration_error": [None]}
    for number, name in enumerate(MEASURES):
        by_class = _folds(first, second, exchanged, number)
        found[f"class_{name}"] = [_p(by_class[..., c]) for c in range(first.classes)]
        found[name] = [_p(_mean_over_classes(first, second, exchanged, number))]
    for name, column in _PIXELS.items():
        pair = [table.answers[:, column][:, None] for table in (first, second)]
        found[name] = [_p(_difference(first, pair[0], pair[1], exchanged)[..., 0])]
    return found


def _p(differences: Floats) -> float | None:
    """From the difference as it is (first) and exchanged ones."""
    if not np.isfinite(differences[0]):
        return None
    observed, others = abs(differences[0]), np.abs(differences[1:])
    extreme = (np.where(np.isfinite(others), others, np.inf) >= observed - 1e-12).sum()
    return float((1 + extreme) / (1 + others.size))


def _folds(first: MaskScores, second: MaskScores, exchanged: Floats, number: int) -> Floats:
    pair = [table.overlaps[..., number] for table in (first, second)]
    return _difference(first, pair[0], pair[1], exchanged)


def _mean_over_classes(
    first: MaskScores, second: MaskScores, exchanged: Floats, number: int
) -> Floats:
    pair = [table.overlaps[..., number] for table in (first, second)]
    means = _means(first, pair[0], pair[1], exchanged)
    return np.asarray(np.mean([over_classes(a) - over_classes(b) for a, b in means], axis=0))


def _difference(table: MaskScores, first: Floats, second: Floats, exchanged: Floats) -> Floats:
    means = _means(table, first, second, exchanged)
    return np.asarray(np.mean([a - b for a, b in means], axis=0))


def _means(
    table: MaskScores, first: Floats, second: Floats, exchanged: Floats
) -> list[tuple[Floats, Floats]]:
    """For each fold both models' means (1 + flips, K): as they are, then exchanged."""
    found = []
    for rows in table.fold_rows:
        sums = [_sums(table, values, rows) for values in (first, second)]
        (a, n), (b, m) = sums
        plus = exchanged @ (b - a), exchanged @ (m - n)
        top = np.concatenate([a.sum(axis=0)[None], a.sum(axis=0) + plus[0]])
        count = np.concatenate([n.sum(axis=0)[None], n.sum(axis=0) + plus[1]])
        other = (a + b).sum(axis=0) - top, (n + m).sum(axis=0) - count
        # Sums of thousandths differ from zero by rounding, and a count of none is none.
        found.append((ratio(top, np.round(count, 6)), ratio(other[0], np.round(other[1], 6))))
    return found


def _sums(table: MaskScores, values: Floats, rows: np.ndarray) -> tuple[Floats, Floats]:
    """Sum and number of what is defined, by group and column, (G, K) each."""
    known = np.isfinite(values[rows])
    shape = (table.group_count, values.shape[1])
    total, number = np.zeros(shape), np.zeros(shape)
    np.add.at(total, table.group_index[rows], np.where(known, values[rows], 0.0))
    np.add.at(number, table.group_index[rows], known.astype(np.float64))
    return total, number
