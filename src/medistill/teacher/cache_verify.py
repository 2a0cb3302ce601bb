"""Asks the teacher again about a sample of a cache, and compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import TargetsError
from medistill.teacher.cache_layout import Layout
from medistill.teacher.cache_manifest import layout_of
from medistill.teacher.cache_plan import CachePlan
from medistill.teacher.cache_shards import Rows, map_shard, missing_shards, shard_is_intact
from medistill.teacher.cache_write import asked

# Of a target's largest number in the sample: other batches sum in another order.
_SLACK = {"float32": 1e-4, "bfloat16": 2.0**-6}
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A cache that passed.

    Attributes:
        rows: rows recomputed.
        largest_difference: largest absolute difference between cache and teacher.
        allowed: what was allowed where it occurred.
    """

    rows: int
    largest_difference: float
    allowed: float

    def __str__(self) -> str:
        """One sentence."""
        return (
            f"{self.rows} cached targets were computed again; the largest difference is "
            f"{self.largest_difference:.2g} ({self.allowed:.2g} allowed there)."
        )


def verify_cache(
    plan: CachePlan, folder: Path, *, sample: int = 64, seed: int | None = None
) -> Verification:
    """Check every shard's digest, and recompute a random sample of a whole cache.

    Allowed is twice the rounding error of the stored type (2^-10 of the number in float16), and
    1e-4 (2^-6 where the teacher computes in bfloat16) of the target's largest number in the
    sample, since the teacher's sums depend in their last digits on how images are batched.

    Args:
        plan: what the cache should be.
        folder: where it is.
        sample: rows to recompute.
        seed: picks the sample; None picks another one each time.

    Raises:
        TargetsError: the cache is foreign, unfinished, damaged, or not what the teacher says now.
    """
    layout = layout_of(plan.key, folder)
    if layout is None or missing_shards(folder, layout):
        raise _fault(folder, "the cache is not whole")
    for shard in range(layout.shards):
        if not shard_is_intact(folder, layout, shard):
            raise _fault(folder, f"shard {shard} was changed after it was written")
    chosen = np.random.default_rng(seed).choice(
        layout.rows, size=min(sample, layout.rows), replace=False
    )
    return _compared(plan, layout, folder, np.sort(chosen))


def _compared(
    plan: CachePlan, layout: Layout, folder: Path, chosen: NDArray[np.int64]
) -> Verification:
    spans = [chosen[k : k + _BATCH].tolist() for k in range(0, len(chosen), _BATCH)]
    live = np.concatenate(list(asked(plan, spans, workers=0)))
    cached = np.stack([_row(folder, layout, row) for row in chosen.tolist()]).astype(np.float32)
    difference, allowed = np.abs(live - cached), _allowed(plan, layout, live)
    if (wrong := ~(difference <= allowed)).any():
        raise _fault(
            folder,
            f"{int(wrong.any(axis=1).sum())} of {len(chosen)} rows are not what the teacher says "
            f"now (largest difference {float(np.max(difference)):.3g})",
        )
    worst = np.unravel_index(np.argmax(difference), difference.shape)
    return Verification(
        rows=len(chosen),
        largest_difference=float(difference[worst]),
        allowed=float(allowed[worst]),
    )


def _allowed(plan: CachePlan, layout: Layout, live: Rows) -> NDArray[np.float64]:
    # eps is the distance of neighbouring numbers at 1, twice the largest relative rounding error.
    allowed: NDArray[np.float64] = np.abs(live.astype(np.float64)) * np.finfo(layout.stored).eps
    for part in layout.columns().values():
        allowed[:, part] += _SLACK[plan.precision] * max(1.0, float(np.abs(live[:, part]).max()))
    return allowed


def _row(folder: Path, layout: Layout, row: int) -> Rows:
    shard, offset = divmod(row, layout.shard_rows)
    values: Rows = map_shard(folder, layout, shard)[offset]
    return values


def _fault(folder: Path, what: str) -> TargetsError:
    cure = "Delete this folder and run again to make the cache anew."
    return TargetsError(where=folder, what=what, cure=cure)
