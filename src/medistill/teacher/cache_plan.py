"""Plans a cache of targets: its size is known before a byte is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.files import sha256_json
from medistill.data.loader import Images
from medistill.data.views import ViewPolicy, draw_view, render_view
from medistill.teacher.cache_layout import CacheKey, Hashes, Layout, Stored, images_hash, in_words
from medistill.teacher.cache_manifest import layout_of
from medistill.teacher.cache_shards import missing_shards
from medistill.teacher.frozen import FrozenTeacher, Precision

# Few enough to keep every shard mapped at once; so many rows at least are lost by a kill.
_MOST_SHARDS, _LEAST_ROWS = 64, 256


class NamedImages(Images, Protocol):
    """A store: images by row, with their content hashes and names."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each stored image."""


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """Everything needed to write, continue, check or open a cache. Nothing is written yet.

    Attributes:
        key: what the targets will belong to.
        layout: how they will lie on the disk.
        hashes: (n,) sorted content hashes of the distinct images.
        rows: (n,) a row of the store for each of them.
        teacher: who will be asked.
        store: where the images are.
        policy: how views are drawn.
        precision: in which the teacher computes.
    """

    key: CacheKey
    layout: Layout
    hashes: Hashes
    rows: NDArray[np.int64]
    teacher: FrozenTeacher
    store: NamedImages
    policy: ViewPolicy
    precision: Precision

    @property
    def bytes(self) -> int:
        """Size on the disk: all numbers and the list of images."""
        return self.layout.bytes + self.hashes.nbytes

    @property
    def sentence(self) -> str:
        """The size in words."""
        layout = self.layout
        names = " and ".join(layout.shapes)
        return (
            f"Targets to cache: {names} of {layout.images:,} images in {len(layout.views)} views, "
            f"{layout.rows:,} rows of {layout.width:,} numbers in {layout.stored}: "
            f"{in_words(self.bytes)} in {layout.shards} shards."
        )

    def is_whole(self, folder: Path) -> bool:
        """Whether ``folder`` holds all that is planned.

        Raises:
            TargetsError: it holds something else.
        """
        layout = layout_of(self.key, folder)
        return layout is not None and not missing_shards(folder, layout)


def plan_cache(
    *,
    store: NamedImages,
    rows: Sequence[int],
    policy: ViewPolicy,
    teacher: FrozenTeacher,
    needs: frozenset[str],
    precision: Precision = "float32",
    stored: Stored = "float16",
    views: Sequence[int] | None = None,
    shard_rows: int | None = None,
) -> CachePlan:
    """Plan a cache of the teacher's word on views of images.

    The teacher is asked about one image, to know the shapes of its answers.

    Args:
        store: the decoded images.
        rows: rows of the store, labelled or not; an image that occurs twice is cached once.
        policy: how views are drawn.
        teacher: who will be asked.
        needs: names of the targets; at least one.
        precision: in which the teacher computes.
        stored: type of the numbers on the disk.
        views: view numbers; by default the policy's, 1 to ``count``. A training of fewer passes
            than ``count`` needs only the first of them.
        shard_rows: rows of a shard; by default at least 256, and at most 64 shards.

    Raises:
        DataError: ``rows`` is empty.
        TargetsError: the teacher has no feature of a wanted name.
    """
    if not len(rows) or not needs:
        what = "there is no image to cache targets of" if needs else "no target is wanted"
        raise DataError(where="targets", what=what, cure="Check the parts and the method.")
    numbers = tuple(range(1, policy.count + 1)) if views is None else tuple(views)
    hashes, first = _distinct(store, rows)
    total = len(hashes) * len(numbers)
    layout = Layout(
        images=len(hashes),
        views=numbers,
        shapes=_shapes(store, int(first[0]), policy, teacher, needs),
        stored=stored,
        shard_rows=shard_rows or max(_LEAST_ROWS, -(-total // _MOST_SHARDS)),
    )
    return CachePlan(
        key=_key(layout, hashes, policy, teacher, precision),
        layout=layout,
        hashes=hashes,
        rows=first,
        teacher=teacher,
        store=store,
        policy=policy,
        precision=precision,
    )


def _distinct(store: NamedImages, rows: Sequence[int]) -> tuple[Hashes, NDArray[np.int64]]:
    chosen = np.asarray(rows, dtype=np.int64)
    every = np.array([store.hashes[row] for row in chosen], dtype="S64")
    hashes, first = np.unique(every, return_index=True)
    return hashes, chosen[first]


def _shapes(
    store: NamedImages,
    row: int,
    policy: ViewPolicy,
    teacher: FrozenTeacher,
    needs: frozenset[str],
) -> dict[str, tuple[int, ...]]:
    content = store.hashes[row]
    view = draw_view(policy, content_hash=content, view=0)
    image = render_view(store[row], view, size=teacher.size, fit=policy.fit)
    answers = teacher.targets(torch.from_numpy(image)[None], needs, [content])
    return {name: tuple(answers[name].shape[1:]) for name in sorted(answers)}


def _key(
    layout: Layout,
    hashes: Hashes,
    policy: ViewPolicy,
    teacher: FrozenTeacher,
    precision: Precision,
) -> CacheKey:
    return CacheKey(
        images=images_hash(hashes),
        views=sha256_json(layout.views),
        policy=policy.hash,
        teacher=teacher.weights_hash,
        folds=teacher.folds_hash,
        preprocessing=teacher.preprocessing_hash,
        precision=f"computed in {precision}, stored in {layout.stored}",
        targets=sha256_json(dict(layout.shapes)),
    )
