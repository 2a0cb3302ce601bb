"""Dynamic micro-batching: images of several requests run through the graph together. Torch-free."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class BatchQueue(Generic[Item, Answer]):
    """One thread that runs what has gathered, oldest first.

    An item that is alone runs at once. While more are expected, it waits for them for at most
    ``gather_seconds``, so that batching never costs a lonely client anything.

    Args:
        run: answers a batch: one answer an item, in order.
        batch_size: most items that run together.
        gather_seconds: longest wait for expected items.
        expected: how many items are inside or on their way, this batch included.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Answer]],
        *,
        batch_size: int,
        gather_seconds: float,
        expected: Callable[[], int],
    ) -> None:
        self._run, self._batch_size = run, batch_size
        self._gather_seconds, self._expected = gather_seconds, expected
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Answer]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="medistill-batches", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Answer]:
        """Hand in one item; the future holds its answer, or what ``run`` raised."""
        future: Future[Answer] = Future()
        self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """Answer all that was handed in, then stop. Nothing may be handed in afterwards."""
        self._waiting.put(None)
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether items are still answered."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, stop = self._gather(first)
            self._answer(batch)
            if stop:
                return

    def _gather(
        self, first: tuple[Item, Future[Answer]]
    ) -> tuple[list[tuple[Item, Future[Answer]]], bool]:
        """Up to a batch of items, and whether the end has come."""
        batch, deadline = [first], time.monotonic() + self._gather_seconds
        while len(batch) < self._batch_size:
            left = deadline - time.monotonic() if self._expected() > len(batch) else 0.0
            try:
                item = self._waiting.get(timeout=left) if left > 0 else self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _answer(self, batch: list[tuple[Item, Future[Answer]]]) -> None:
        # A future whose client has gone is left out; the others are marked as running.
        kept = [(item, future) for item, future in batch if future.set_running_or_notify_cancel()]
        if not kept:
            return
        try:
            answers = self._run([item for item, _ in kept])
            for (_, future), answer in zip(kept, answers, strict=True):
                future.set_result(answer)
        except Exception as error:  # whoever waits shall hear of it, and the thread shall live
            for _, future in kept:
                if not future.done():
                    future.set_exception(error)
