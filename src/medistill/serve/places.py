"""A bounded number of places, and how long to stay away when all are taken. Torch-free."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHORTEST, LONGEST_WAIT = 1, 30
# Weight of the newest finished request in the running mean of seconds a place.
_NEWEST = 0.2


class FullError(Exception):
    """No place is left.

    Args:
        retry_after: whole seconds after which places should be free again.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"full; try again in {retry_after} s")


class Growing:
    """Places of one holder, taken as they come to be needed.

    Args:
        take: takes places or raises FullError.
        give_back: frees places.
    """

    def __init__(self, take: Callable[[int], None], give_back: Callable[[int], None]) -> None:
        self._take, self._give_back, self.held = take, give_back, 0

    def take(self, more: int) -> None:
        """Hold more.

        Raises:
            FullError: fewer than ``more`` are free; those held stay.
        """
        self._take(more)
        self.held += more

    def release(self) -> None:
        """Give all back."""
        held, self.held = self.held, 0
        if held:
            self._give_back(held)


class Places:
    """Counts what is inside, in any unit, and refuses what would be too much.

    Args:
        capacity: most units inside at once.
        clock: seconds from an arbitrary start; for tests.
    """

    def __init__(self, capacity: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.capacity, self.taken = capacity, 0
        self._clock, self._lock = clock, threading.Lock()
        self._pace, self._freed_at = 0.0, clock()

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Hold places during the block; all or none are taken.

        Args:
            count: how many.

        Raises:
            FullError: fewer than ``count`` are free.
        """
        self._take(count)
        try:
            yield
        finally:
            self._give_back(count)

    @contextmanager
    def growing(self) -> Iterator[Growing]:
        """Hold places that are taken one by one during the block, and given back at its end."""
        growing = Growing(self._take, self._give_back)
        try:
            yield growing
        finally:
            growing.release()

    def _take(self, count: int) -> None:
        with self._lock:
            if self.taken + count > self.capacity:
                raise FullError(self._retry_after())
            if self.taken == 0:
                # Idle time is no evidence of being slow.
                self._freed_at = self._clock()
            self.taken += count

    def _give_back(self, count: int) -> None:
        with self._lock:
            now = self._clock()
            newest = (now - self._freed_at) / count
            self._pace = _NEWEST * newest + (1 - _NEWEST) * self._pace if self._pace else newest
            self.taken, self._freed_at = self.taken - count, now

    def _retry_after(self) -> int:
        """Time in which what is inside should be done, in whole seconds."""
        return min(LONGEST_WAIT, max(_SHORTEST, math.ceil(self.taken * self._pace)))
