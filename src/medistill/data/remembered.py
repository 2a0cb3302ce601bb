"""Rendered views that are kept, so that a view is painted once and not every few epochs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from numpy.typing import NDArray

from medistill.core.runtime import available_memory_bytes

PictureT = TypeVar("PictureT", bound=NDArray[Any])

# A sixteenth of what the machine has free, so that memory does not grow with the number of
# images; a gibibyte holds 16,000 gray views of 128 pixels.
_SHARE, _MOST = 16, 2**30


def default_limit() -> int:
    """Bytes that may be kept on this machine; 0 where its memory is unknown."""
    return min(available_memory_bytes() // _SHARE, _MOST)


@dataclass
class RememberedViews:
    """Views by what they are made from; when it is full, what came first stays.

    Passes over the images come in turns, so that dropping the oldest would drop each view just
    before it is asked for again.

    Attributes:
        limit: bytes that are kept at most.
    """

    limit: int = field(default_factory=default_limit)
    _kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    def get(self, key: Hashable, paint: Callable[[], PictureT]) -> PictureT:
        """The view, or mask, of ``key``, painted where it is not kept; not to be written to."""
        found: PictureT | None = self._kept.get(key)
        if found is not None:
            return found
        made = paint()
        if self._bytes + made.nbytes <= self.limit:
            self._kept[key] = made
            self._bytes += made.nbytes
        return made
