"""scikit-learn's stratified folds by group, with a quicker search for the best fold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

Counts = NDArray[np.float64]
#: Tolerances of numpy's ``isclose``.
_ABSOLUTE, _RELATIVE = 1e-8, 1e-5


class GroupedFolds(StratifiedGroupKFold):  # type: ignore[misc]
    """The same folds as ``StratifiedGroupKFold``, in a tenth of its time.

    scikit-learn tries every fold for every group, one call of numpy after the other; here all folds
    are tried at once, by the same sums in the same order. Were the method below no longer called,
    folds would be the same and slower (a test holds both).
    """

    def _iter_test_indices(self, *arrays: Any) -> Iterator[NDArray[np.int64]]:
        with warnings.catch_warnings():
            # Whether a class has enough groups is asked before, and answered by an error.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            found = list(super()._iter_test_indices(*arrays))
        return iter(found)

    def _find_best_fold(
        self, y_counts_per_fold: Counts, y_cnt: Counts, group_y_counts: Counts
    ) -> int:
        tried = y_counts_per_fold + np.eye(self.n_splits)[:, :, None] * group_y_counts
        shares = tried / y_cnt.reshape(1, 1, -1)
        # As numpy's std, without what it asks of its arguments.
        centred = shares - shares.sum(axis=1, keepdims=True) / self.n_splits
        spread = np.sqrt((centred * centred).sum(axis=1) / self.n_splits)
        uneven = (spread.sum(axis=1) / len(y_cnt)).tolist()
        held = y_counts_per_fold.sum(axis=1).tolist()
        best, least, fewest = 0, np.inf, np.inf
        for fold, (value, samples) in enumerate(zip(uneven, held, strict=True)):
            alike = abs(value - least) <= _ABSOLUTE + _RELATIVE * abs(least)
            if value < least or (alike and samples < fewest):
                best, least, fewest = fold, value, samples
        return best
