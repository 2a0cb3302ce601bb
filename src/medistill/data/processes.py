"""Works through a set's images in order, with or without processes, a few at a time. Torch-free."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from medistill.core.allocator import keep_freed_memory

Item = TypeVar("Item")
Result = TypeVar("Result")
#: Images of one task at most.
MOST_AT_ONCE = 64


def in_order(
    items: Iterable[Item], act: Callable[[Item], Result], *, workers: int = 0
) -> Iterator[Result]:
    """Yield what ``act`` makes of each item, in order, a few at a time.

    Args:
        items: what to work on; at most ``2 * workers + 1`` are taken before they are needed.
        act: what to do; it is pickled to the workers.
        workers: processes (spawned: guard your script's ``__main__``); 0 works in the caller's.
    """
    if workers == 0:
        return map(act, items)
    return _with_processes(items, act, workers)


def piece_size(count: int, workers: int) -> int:
    """Images that a process takes at once: many cost less to hand over, few share out better."""
    return max(1, min(MOST_AT_ONCE, count // (4 * max(1, workers))))


def _with_processes(
    items: Iterable[Item], act: Callable[[Item], Result], workers: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    # Spawned, since a fork copies the locks of threads that torch may have started.
    context = multiprocessing.get_context("spawn")
    # What small pictures lie in is taken and given back for each: a tenth of a worker's time.
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=keep_freed_memory)
    try:
        for item in items:
            waiting.append(pool.submit(act, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Also when the reader of this iterator stops early, as on Ctrl-C.
        pool.shutdown(cancel_futures=True)
