"""Pixels as the whole numbers of a file, turned into shares of white when asked. Torch-free.

A hospital's images are 8- or 16-bit: as long as nothing is resized, a number of the file stands for
one gray, and a table of at most 65,536 entries says which. Every conversion here gives bit for bit
what the same conversion of float pixels gives (a test goes through all values).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Whole = NDArray[np.unsignedinteger[Any]]
#: Whites whose conversions need no table.
EIGHT_BITS, SIXTEEN_BITS = 255, 65535


@dataclass(frozen=True)
class Levels:
    """Whole numbers that each stand for one gray.

    Attributes:
        values: uint8 or uint16 of shape (H, W) or (H, W, 3).
        white: the number that is full white, where gray is number / white: at most 65535.
        table: else the gray of each number, float32 of shape (n,) in [0, 1].
    """

    values: Whole
    white: int = 0
    table: Float | None = None

    def gray(self) -> Levels | None:
        """The first channel where all three are equal; None for colour."""
        # What is kept must not be the value itself: it would wait for the garbage collector.
        return self if self.values.ndim == 2 else self._flat

    def pixels(self) -> Float:
        """Float32 in [0, 1] of the same shape, read-only."""
        if self.table is None:
            # For whites up to 16 bits this rounds like a division in float64.
            pixels = np.true_divide(self.values, np.float32(self.white), dtype=np.float32)
        else:
            pixels = self.table.take(self.values)
        pixels.flags.writeable = False
        return pixels

    def eight_bits(self) -> NDArray[np.uint8]:
        """Gray times 255, rounded."""
        if self.white == EIGHT_BITS:
            return self.values.astype(np.uint8, copy=False)
        if self.white == SIXTEEN_BITS:
            # 65535 is 257 x 255, and an odd divisor leaves no ties to round.
            share = np.multiply(self.values, np.float32(1 / 257), dtype=np.float32)
            return (share + np.float32(0.5)).astype(np.uint8)
        eight: NDArray[np.uint8] = np.rint(self._table() * np.float32(255)).astype(np.uint8)
        return eight.take(self.values)

    def sixteen_bits(self) -> NDArray[np.uint16]:
        """Gray times 65535, rounded: the stored form of a picture that is not resized."""
        if self.white == EIGHT_BITS:
            return np.multiply(self.values, np.uint16(257), dtype=np.uint16)
        if self.white == SIXTEEN_BITS:
            return self.values.astype(np.uint16, copy=False)
        return self._looked_up

    @cached_property
    def _flat(self) -> Levels | None:
        first = self.values[..., 0]
        if (self.values[..., 1] != first).any() or (self.values[..., 2] != first).any():
            return None
        return Levels(np.ascontiguousarray(first), self.white, self.table)

    @cached_property
    def _looked_up(self) -> NDArray[np.uint16]:
        """Kept: the check and the store both ask for it, and to look up is dearer than to read."""
        sixteen: NDArray[np.uint16] = np.rint(self._table() * np.float32(65535)).astype(np.uint16)
        values = sixteen.take(self.values)
        values.flags.writeable = False
        return values

    def _table(self) -> Float:
        return _shares(self.white) if self.table is None else self.table


@cache
def _shares(white: int) -> Float:
    return (np.arange(white + 1) / white).astype(np.float32)
