"""Decodes a set's images in order, with or without processes, a few at a time. Torch-free."""

from __future__ import annotations

import functools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.types import Sample
from medistill.imaging.reader import read_image
from medistill.imaging.resize import Channels, to_stored

Stored = NDArray[np.uint16]
#: Stored pixels, or the reason why there are none.
Decoded = Stored | str
Result = TypeVar("Result")


def decoded_in_order(
    samples: Sequence[Sample],
    *,
    stored_size: int,
    channels: Channels,
    window: str | None = None,
    workers: int = 0,
) -> Iterator[tuple[Sample, Decoded]]:
    """Yield each sample with its stored pixels, or with the reason why it cannot be read.

    Args:
        samples: what to decode, in this order whatever ``workers`` is.
        stored_size: pixels of the short side.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT (``imaging.window``), or None for what each file declares.
        workers: processes that decode; at most ``2 * workers + 1`` images wait in memory. 0
            decodes in the caller's.
    """
    decode = functools.partial(_decode, stored_size=stored_size, channels=channels, window=window)
    return in_order(samples, decode, workers=workers)


def in_order(
    samples: Sequence[Sample], act: Callable[[Sample], Result], *, workers: int = 0
) -> Iterator[tuple[Sample, Result]]:
    """Yield each sample with what ``act`` makes of it, in order, a few at a time.

    Args:
        samples: the samples.
        act: what to do; it is pickled to the workers.
        workers: processes; 0 works in the caller's.
    """
    if workers == 0:
        return ((sample, act(sample)) for sample in samples)
    return _with_processes(samples, act, workers)


def _decode(
    sample: Sample, *, stored_size: int, channels: Channels, window: str | None = None
) -> Decoded:
    try:
        picture = read_image(sample.path, window=window, frame=sample.frame, plane=sample.plane)
        return to_stored(picture, stored_size=stored_size, channels=channels)
    except DataError as error:
        return error.what


def _with_processes(
    samples: Sequence[Sample], act: Callable[[Sample], Result], workers: int
) -> Iterator[tuple[Sample, Result]]:
    waiting: deque[tuple[Sample, Future[Result]]] = deque()
    # Spawned, since a fork copies the locks of threads that torch may have started.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        for sample in samples:
            waiting.append((sample, pool.submit(act, sample)))
            if len(waiting) > 2 * workers:
                yield _oldest(waiting)
        while waiting:
            yield _oldest(waiting)
    finally:
        # Also when the reader of this iterator stops early, as on Ctrl-C.
        pool.shutdown(cancel_futures=True)


def _oldest(waiting: deque[tuple[Sample, Future[Result]]]) -> tuple[Sample, Result]:
    sample, future = waiting.popleft()
    return sample, future.result()
