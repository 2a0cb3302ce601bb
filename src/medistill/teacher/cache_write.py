"""Fills a cache, or continues where a kill left it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.core.errors import TargetsError
from medistill.core.files import remove_torn
from medistill.data.batch import Batch
from medistill.data.loader import ordered_batches
from medistill.teacher.cache_layout import Layout
from medistill.teacher.cache_manifest import layout_of, write_manifest
from medistill.teacher.cache_plan import CachePlan
from medistill.teacher.cache_shards import (
    Rows,
    check_room,
    full_disk_explained,
    missing_shards,
    shard_writer,
)

Progress = Callable[[int, int], None]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class MatrixOrder:
    """Order of rows of a cache's matrix: step t shows the rows of ``spans[t]``.

    Attributes:
        plan: says which image and view a row is about.
        spans: rows of the matrix, a step each.
    """

    plan: CachePlan
    spans: Sequence[Sequence[int]]

    def at(self, step: int) -> tuple[IntArray, IntArray]:
        """Rows of the store and view numbers of a step."""
        layout = self.plan.layout
        places, images = np.divmod(np.asarray(self.spans[step], np.int64), layout.images)
        return self.plan.rows[images], np.asarray(layout.views, np.int64)[places]


def asked(plan: CachePlan, spans: Sequence[Sequence[int]], workers: int) -> Iterator[Rows]:
    """The teacher's word on rows of the matrix: for each span (rows, width) in float32."""
    batches = ordered_batches(
        plan.store,
        torch.zeros(len(plan.store.hashes), 0),
        MatrixOrder(plan=plan, spans=spans),
        plan.policy,
        steps=range(len(spans)),
        size=plan.teacher.size,
        workers=workers,
    )
    for batch in batches:
        yield _answers(plan, batch)


def write_cache(
    plan: CachePlan,
    folder: Path,
    *,
    batch_size: int = 32,
    workers: int = 0,
    progress: Progress | None = None,
) -> int:
    """Write a cache, or continue one: finished shards are kept, at most one is done again.

    Memory holds a few batches, however many images there are.

    Args:
        plan: what to write.
        folder: where to; made if it does not exist.
        batch_size: views that the teacher looks at together.
        workers: processes that render views; 0 renders in this one.
        progress: called with (done, total) rows after each batch.

    Returns:
        Number of rows computed now.

    Raises:
        TargetsError: the folder holds another cache, the disk is or becomes full, or the teacher
            says what the stored type cannot hold.
    """
    layout = layout_of(plan.key, folder) or plan.layout
    folder.mkdir(parents=True, exist_ok=True)
    remove_torn(folder.glob(".*"))
    missing = missing_shards(folder, layout)
    todo = sum(len(layout.span(shard)) for shard in missing)
    check_room(folder, todo * layout.row_bytes + plan.hashes.nbytes)
    with full_disk_explained(folder, layout):
        write_manifest(plan.key, layout, plan.hashes, folder)
        done = layout.rows - todo
        for rows in _fill(plan, layout, folder, missing, batch_size, workers):
            done += rows
            if progress is not None:
                progress(done, layout.rows)
    return todo


def _fill(
    plan: CachePlan,
    layout: Layout,
    folder: Path,
    missing: Sequence[int],
    batch_size: int,
    workers: int,
) -> Iterator[int]:
    """Write the missing shards; yields the number of rows of each batch."""
    # One iterator for all shards, so that workers render the next one while this one ends.
    cut = [list(_blocks(layout.span(shard), batch_size)) for shard in missing]
    answers = asked(plan, [block for blocks in cut for block in blocks], workers)
    for shard, blocks in zip(missing, cut, strict=True):
        with shard_writer(folder, layout, shard) as write:
            for block in blocks:
                write(_stored(plan, block, next(answers)))
                yield len(block)


def _blocks(span: range, size: int) -> Iterator[range]:
    return (span[start : start + size] for start in range(0, len(span), size))


def _answers(plan: CachePlan, batch: Batch) -> Rows:
    """Targets of a batch flattened beside each other in the layout's order."""
    names = frozenset(plan.layout.shapes)
    answers = plan.teacher.targets(batch.images, names, batch.hashes, precision=plan.precision)
    flat = [answers[name].reshape(len(batch), -1) for name in plan.layout.shapes]
    rows: Rows = torch.cat(flat, dim=1).cpu().numpy()
    return rows


def _stored(plan: CachePlan, block: Sequence[int], rows: Rows) -> Rows:
    """In the type of the cache.

    Raises:
        TargetsError: a number is not finite or too large for the type.
    """
    largest = np.finfo(plan.layout.stored).max
    # Written so that NaN, which compares false with everything, is caught too.
    wrong = ~(np.abs(rows) <= largest)
    if wrong.any():
        raise _beyond(plan, block, rows, wrong)
    return rows.astype(plan.layout.stored)


def _beyond(
    plan: CachePlan, block: Sequence[int], rows: Rows, wrong: NDArray[np.bool_]
) -> TargetsError:
    row, column = (int(axis[0]) for axis in np.nonzero(wrong))
    place, image = divmod(block[row], plan.layout.images)
    name = next(n for n, part in plan.layout.columns().items() if column in _numbers(part))
    stored = plan.layout.stored
    return TargetsError(
        where=f"teacher, image {plan.store.names[int(plan.rows[image])]}",
        what=f"its {name} for view {plan.layout.views[place]} hold {rows[row, column]:g}, which "
        f"{stored} cannot store (at most {np.finfo(stored).max:g})",
        cure="Use live targets (targets.mode=live), or fit the teacher again: numbers like this "
        "usually mean that its training diverged.",
    )


def _numbers(part: slice) -> range:
    return range(part.start, part.stop)
