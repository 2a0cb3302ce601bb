"""The cluster bootstrap: groups are drawn with replacement, and all their images with them.

With folds, groups are drawn within each fold and a metric is averaged over folds, because each
fold has its own model and scores of different models cannot be ranked together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.grouped import Table
from medistill.evaluate.metrics import MetricFunction

CELLS_IN_MEMORY = 200_000  # of one block of weights, 1.6 MB: it stays in a processor's cache


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A function of a table that is resampled, averaged over folds unless pooled."""

    function: MetricFunction
    pooled: bool = False

    def of(self, table: Table, weights: Floats | None = None) -> Floats:
        """Value under weights (..., N) of the images; shape (...) or (..., K)."""
        if self.pooled or len(table.fold_rows) == 1:
            return self.function(table.truth, table.answers, weights)
        values = [
            self.function(
                table.truth[rows],
                table.answers[rows],
                None if weights is None else weights[..., rows],
            )
            for rows in table.fold_rows
        ]
        return np.asarray(np.mean(values, axis=0))


@dataclass(frozen=True, kw_only=True)
class Resamples:
    """How often each group was drawn.

    Attributes:
        counts: shape (R, G).
        group_index: group of each image, shape (N,).
    """

    counts: Ints
    group_index: Ints

    def blocks(self) -> Iterator[Floats]:
        """Weights of the images, shape (r, N), in blocks that fit in memory."""
        size = max(1, CELLS_IN_MEMORY // self.group_index.size)
        for start in range(0, len(self.counts), size):
            block = self.counts[start : start + size].astype(np.float64)
            yield block[:, self.group_index]


def draw_resamples(table: Table, *, resamples: int, seed: int) -> Resamples:
    """Draw R times as many groups as each fold has, with replacement; a pure function of seed."""
    random = np.random.Generator(np.random.Philox(key=seed))
    counts = np.zeros((resamples, table.group_count), dtype=np.int64)
    for rows in table.fold_rows:
        groups = np.unique(table.group_index[rows])
        drawn = random.integers(groups.size, size=(resamples, groups.size))
        flat = drawn + np.arange(resamples)[:, None] * groups.size
        tally = np.bincount(flat.ravel(), minlength=resamples * groups.size)
        counts[:, groups] = tally.reshape(resamples, groups.size)
    return Resamples(counts=counts, group_index=table.group_index)


def replicate(
    tables: Sequence[Table],
    statistics: Mapping[str, Statistic],
    drawn: Resamples,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Floats]]:
    """Every statistic of every table under the same resamples.

    Args:
        tables: models evaluated on the same images.
        statistics: by name.
        drawn: R resamples of the images' groups.
        progress: called with the number of resamples done since the last call.

    Returns:
        For each table its statistics by name, each of shape (R,) or (R, K); NaN where a
        resample leaves one undefined.
    """
    pieces: list[dict[str, list[Floats]]] = [{name: [] for name in statistics} for _ in tables]
    for weights in drawn.blocks():
        for table, parts in zip(tables, pieces, strict=True):
            for name, statistic in statistics.items():
                parts[name].append(statistic.of(table, weights))
        if progress is not None:
            progress(len(weights))
    return [{name: np.concatenate(part) for name, part in parts.items()} for parts in pieces]
