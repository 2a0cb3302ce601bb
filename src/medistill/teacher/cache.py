"""Targets computed once and read from the disk ever after.

A cache is a folder: ``cache.json`` says what it belongs to, ``images.npy`` lists the content
hashes, and ``shard-*.npy`` hold the numbers. It is planned, written (again and again, until it is
whole) and opened; one process writes at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medistill.core.errors import TargetsError
from medistill.data.batch import Batch
from medistill.teacher.cache_layout import Hashes, Layout
from medistill.teacher.cache_manifest import layout_of, mapped_hashes
from medistill.teacher.cache_plan import CachePlan, plan_cache
from medistill.teacher.cache_shards import Rows, map_shard, missing_shards
from medistill.teacher.cache_verify import Verification, verify_cache
from medistill.teacher.cache_write import write_cache

__all__ = [
    "CachePlan",
    "CachedTargets",
    "Verification",
    "open_cache",
    "plan_cache",
    "verify_cache",
    "write_cache",
]


def open_cache(plan: CachePlan, folder: Path) -> CachedTargets:
    """Open a whole cache for reading; it is the planned one or it is refused.

    Raises:
        TargetsError: the folder holds no cache, an unfinished one, or one that belongs to other
            images, views, preprocessing, precision or another teacher: the message says which.
    """
    layout = layout_of(plan.key, folder)
    missing = range(plan.layout.shards) if layout is None else missing_shards(folder, layout)
    if layout is None or missing:
        raise TargetsError(
            where=folder,
            what=f"{len(missing)} of {(layout or plan.layout).shards} shards of the cache are "
            "missing or damaged",
            cure="Run again: what is missing is written, the rest is kept.",
        )
    return CachedTargets(plan, folder, layout, mapped_hashes(plan.key, folder))


class CachedTargets:
    """Reads the teacher's word on known views of known images.

    Made by :func:`open_cache`. Images are found by content hash, never by position, so the order
    of the rows and the number of images loaded do not matter.

    Args:
        plan: what it was opened as.
        folder: where the cache is.
        layout: how it is laid out.
        hashes: (n,) its sorted content hashes.
    """

    mixable = False

    def __init__(self, plan: CachePlan, folder: Path, layout: Layout, hashes: Hashes) -> None:
        self.plan, self.folder, self.layout, self._hashes = plan, folder, layout, hashes
        self._shards: dict[int, Rows] = {}
        self._columns = layout.columns()
        # Two more than the largest number, so that any view not cached falls on a -1.
        self._places = np.full(max(layout.views) + 2, -1, dtype=np.int64)
        self._places[list(layout.views)] = np.arange(len(layout.views))

    def get(self, batch: Batch) -> dict[str, Tensor]:
        """The cached targets of each image and view of the batch.

        Returns:
            Name of target -> (B, ...) float32 on the device of ``batch.images``.

        Raises:
            TargetsError: the images are mixed, or an image or view was not cached.
        """
        if batch.mixed:
            raise TargetsError(
                where="train.mixup, train.cutmix",
                what="images are mixed, and the cache holds targets of single images",
                cure="Use live targets (targets.mode=live), or set train.mixup and train.cutmix "
                "to 0.",
            )
        found = self.read(self.rows_of(batch.hashes, batch.view.cpu().numpy()))
        rows = torch.from_numpy(found).to(batch.images.device)
        return {
            name: rows[:, self._columns[name]].reshape(len(rows), *shape)
            for name, shape in self.layout.shapes.items()
        }

    def verify(self, *, sample: int = 64, seed: int | None = None) -> Verification:
        """Ask the teacher again about a random sample of rows; see :func:`verify_cache`.

        Raises:
            TargetsError: the cache is damaged, or not what the teacher says now.
        """
        return verify_cache(self.plan, self.folder, sample=sample, seed=seed)

    def rows_of(self, hashes: Sequence[str], views: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of the matrix of each (content hash, view).

        Raises:
            TargetsError: an image or view was not cached.
        """
        wanted = np.array(hashes, dtype=self._hashes.dtype)
        images = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        places = self._places[np.clip(views, -1, len(self._places) - 1)]
        unknown = self._hashes[images] != wanted
        if unknown.any() or (places < 0).any():
            raise self._lacks(unknown, places < 0, views)
        rows: NDArray[np.int64] = places * self.layout.images + images
        return rows

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of the matrix, (B, width) in float32."""
        shards, offsets = np.divmod(rows, self.layout.shard_rows)
        found = np.empty((len(rows), self.layout.width), dtype=np.float32)
        for shard in np.unique(shards).tolist():
            here = shards == shard
            found[here] = self._shard(shard)[offsets[here]]
        return found

    def _shard(self, shard: int) -> Rows:
        if shard not in self._shards:
            self._shards[shard] = map_shard(self.folder, self.layout, shard)
        return self._shards[shard]

    def _lacks(
        self, images: NDArray[np.bool_], places: NDArray[np.bool_], views: NDArray[np.int64]
    ) -> TargetsError:
        what = f"{int(images.sum())} of {len(images)} images of a batch were not cached"
        if not images.any():
            what = f"view {int(views[places][0])} was not cached"
        return TargetsError(
            where=self.folder,
            what=what,
            cure="Plan the cache with the same images and views that are trained on.",
        )
