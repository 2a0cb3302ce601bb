"""Batches of views in an order that any process can recompute."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from medistill.core.errors import DataError
from medistill.data.batch import Batch
from medistill.data.masks import Masks, render_mask
from medistill.data.order import Balanced, FloatArray, IntArray, Order, Plain, Shuffled, permutation
from medistill.data.remembered import RememberedViews
from medistill.data.views import View, ViewPolicy, draw_view, render_view
from medistill.imaging.preprocessing import Fit

__all__ = ["Images", "Order", "ViewStream", "ordered_batches", "permutation", "plain_batches"]


class Images(Protocol):
    """What the loader needs of a store: content hashes and decoded images by row."""

    @property
    def hashes(self) -> Sequence[str]:
        """Content hash of each stored image."""
        ...

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        """Stored image (H, W) or (H, W, 3) of a row."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Renderer(Dataset[Batch]):
    """Step -> Batch: a pure function, so that it does not matter which worker computes it."""

    store: Images
    labels: Tensor
    order: Order
    policy: ViewPolicy
    size: int
    teacher_size: int | None
    masks: Masks | None = None
    memory: RememberedViews | None = None

    def __getitem__(self, step: int) -> Batch:
        rows, views = self.order.at(step)
        hashes = [self.store.hashes[row] for row in rows]
        images, teacher_images = self._render(rows, views, hashes)
        return Batch(
            index=torch.from_numpy(rows.copy()),
            view=torch.from_numpy(views.copy()),
            hashes=hashes,
            images=images,
            teacher_images=teacher_images,
            labels=self.labels[torch.from_numpy(rows.copy())],
            masks=self._masks(rows, views, hashes),
        )

    def _masks(self, rows: IntArray, views: IntArray, hashes: list[str]) -> Tensor | None:
        if self.masks is None:
            return None
        made = [
            self._mask(
                self.masks, int(row), draw_view(self.policy, content_hash=content, view=int(number))
            )
            for row, number, content in zip(rows, views, hashes, strict=True)
        ]
        return torch.from_numpy(np.stack(made)).long()

    def _mask(self, masks: Masks, row: int, view: View) -> NDArray[np.uint8]:
        def paint() -> NDArray[np.uint8]:
            fit, classes = self.policy.fit, masks.classes
            return render_mask(masks[row], view, size=self.size, fit=fit, classes=classes)

        if self.memory is None:
            return paint()
        # By row: copies of an image may have masks of their own.
        return self.memory.get(("mask", row, view, self.size, self.policy.fit), paint)

    def _render(
        self, rows: IntArray, views: IntArray, hashes: list[str]
    ) -> tuple[Tensor, Tensor | None]:
        sizes = sorted({self.size, self.teacher_size or self.size})
        pictures: dict[int, list[NDArray[np.float32]]] = {size: [] for size in sizes}
        for row, number, content in zip(rows, views, hashes, strict=True):
            view = draw_view(self.policy, content_hash=content, view=int(number))
            for size in sizes:
                pictures[size].append(self._picture(int(row), content, view, size))
        made = {size: torch.from_numpy(np.stack(each)) for size, each in pictures.items()}
        return made[self.size], made[self.teacher_size] if self.teacher_size else None

    def _picture(self, row: int, content: str, view: View, size: int) -> NDArray[np.float32]:
        def paint() -> NDArray[np.float32]:
            return render_view(self.store[row], view, size=size, fit=self.policy.fit)

        if self.memory is None:
            return paint()
        # A drawn view holds every value that its picture depends on.
        return self.memory.get((content, view, size, self.policy.fit), paint)


def _run(renderer: _Renderer, steps: range, workers: int) -> Iterator[Batch]:
    """The batches of ``steps`` in order; workers end when the iterator is closed or dropped."""
    if not steps:
        return
    with warnings.catch_warnings():
        # More workers than cores is the user's choice, and no news to them.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        batches = iter(_loader(renderer, steps, min(workers, len(steps))))
    yield from batches


def _loader(renderer: _Renderer, steps: range, workers: int) -> DataLoader[Any]:
    return DataLoader(
        renderer,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        # Else the loader would draw from torch's global generator, and resuming a training would
        # shift what the networks draw from it.
        generator=torch.Generator().manual_seed(0),
    )


def _checked(rows: Sequence[int], batch_size: int) -> IntArray:
    if len(rows) == 0:
        raise DataError(
            where="rows",
            what="there is no image to load",
            cure="Check the parts: each needs at least one image.",
        )
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    return np.asarray(rows, dtype=np.int64)


class ViewStream:
    """An endless sequence of training batches whose batch at step t is a pure function of t.

    Position q of the sequence is rank q mod n of pass q // n over the n rows, in a permutation
    keyed by (seed, pass), and shows view ``view_of_pass(pass, policy.count)``. Batch t holds the
    positions t * batch_size up to (t + 1) * batch_size, so every batch is full, and one at the
    end of a pass holds views of two passes. Killing, resuming and the number of workers
    therefore change nothing.

    Args:
        store: decoded images by row.
        labels: (N, K) float32 for all N rows of the store; see ``Batch.labels``.
        rows: the n rows to pass over.
        policy: how views are drawn; its ``fit`` should be the student's.
        batch_size: images a step.
        seed: seed of the order; the views have ``policy.seed``.
        student_size: side of ``Batch.images`` in pixels.
        teacher_size: side of ``Batch.teacher_images``, or None where no live teacher looks.
        workers: processes that render; 0 renders in this one.
        masks: masks by row, for segmentation.
        memory: keeps rendered views; has no effect with workers, which share no memory.
        shares: (n,) share of the shows that each row gets (``data.balance``); None for equal ones.

    Raises:
        DataError: ``rows`` is empty.
    """

    def __init__(
        self,
        store: Images,
        labels: Tensor,
        rows: Sequence[int],
        policy: ViewPolicy,
        *,
        batch_size: int,
        seed: int,
        student_size: int,
        teacher_size: int | None = None,
        workers: int = 0,
        masks: Masks | None = None,
        memory: RememberedViews | None = None,
        shares: FloatArray | None = None,
    ) -> None:
        self.rows, self.batch_size, self.workers = _checked(rows, batch_size), batch_size, workers
        how = (batch_size, seed, policy.count, policy.repeats)
        order: Order = Shuffled(self.rows, *how)
        if shares is not None:
            order = Balanced(self.rows, shares, *how)
        self._renderer = _Renderer(
            store=store,
            labels=labels,
            order=order,
            policy=policy,
            size=student_size,
            teacher_size=teacher_size,
            masks=masks,
            memory=None if workers else memory,
        )

    def __len__(self) -> int:
        """Number of images in one pass."""
        return len(self.rows)

    @property
    def steps_per_pass(self) -> int:
        """Steps that show each image about once: n / batch_size, rounded up."""
        return -(-len(self.rows) // self.batch_size)

    def batch(self, step: int) -> Batch:
        """The batch of one step, rendered in this process."""
        return self._renderer[step]

    def batches(self, start_step: int, stop_step: int) -> Iterator[Batch]:
        """The batches of steps ``start_step`` up to ``stop_step`` - 1, in order."""
        return _run(self._renderer, range(start_step, stop_step), self.workers)


def ordered_batches(
    store: Images,
    labels: Tensor,
    order: Order,
    policy: ViewPolicy,
    *,
    steps: range,
    size: int,
    teacher_size: int | None = None,
    workers: int = 0,
    masks: Masks | None = None,
    memory: RememberedViews | None = None,
) -> Iterator[Batch]:
    """The batches of ``steps`` of any order of rows and views.

    Args:
        store: decoded images by row.
        labels: (N, K) float32 for all rows of the store.
        order: which rows and views a step shows.
        policy: how views are drawn.
        steps: the steps wanted, in this order.
        size: side of ``Batch.images`` in pixels.
        teacher_size: side of ``Batch.teacher_images``, or None.
        workers: processes that render; 0 renders in this one.
        masks: masks by row, for segmentation.
        memory: keeps rendered views; has no effect with workers.
    """
    renderer = _Renderer(
        store=store,
        labels=labels,
        order=order,
        policy=policy,
        size=size,
        teacher_size=teacher_size,
        masks=masks,
        memory=None if workers else memory,
    )
    return _run(renderer, steps, workers)


def plain_batches(
    store: Images,
    labels: Tensor,
    rows: Sequence[int],
    *,
    size: int,
    batch_size: int,
    fit: Fit,
    teacher_size: int | None = None,
    workers: int = 0,
    masks: Masks | None = None,
    memory: RememberedViews | None = None,
) -> Iterator[Batch]:
    """View 0 of ``rows`` in order; the last batch may be smaller.

    Raises:
        DataError: ``rows`` is empty.
    """
    order = Plain(_checked(rows, batch_size), batch_size)
    return ordered_batches(
        store,
        labels,
        order,
        ViewPolicy(fit=fit),
        steps=range(-(-len(rows) // batch_size)),
        size=size,
        teacher_size=teacher_size,
        workers=workers,
        masks=masks,
        memory=memory,
    )
