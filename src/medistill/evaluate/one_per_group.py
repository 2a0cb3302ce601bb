"""One image a group, where a guarantee needs independent images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medistill.evaluate.arrays import Ints


def one_per_group(groups: Sequence[str], rows: Ints, *, seed: int = 0) -> Ints:
    """One of the given rows of each group, drawn evenly; a pure function of its arguments.

    Args:
        groups: group of every image, length N.
        rows: row numbers to choose from, shape (M,).
        seed: of the draw.

    Returns:
        Row numbers, ascending, one a group among those of ``rows``.
    """
    random = np.random.Generator(np.random.Philox(key=seed))
    shuffled = rows[random.permutation(rows.size)]
    _, first = np.unique(np.asarray(list(groups), dtype=str)[shuffled], return_index=True)
    return np.sort(shuffled[first])


def groups_among(groups: Sequence[str], rows: Ints) -> int:
    """Number of groups that hold at least one of the rows."""
    return len({groups[row] for row in rows.tolist()})
