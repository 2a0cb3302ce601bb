"""A store in memory: what the loader and the cache need of one, and no files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class MemoryStore:
    def __init__(self, images: Sequence[NDArray[np.uint16]]) -> None:
        self._images = list(images)
        self.names = tuple(f"image-{row}.png" for row in range(len(self._images)))
        self.hashes = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        return self._images[row]


def random_store(count: int, *, height: int = 20, width: int = 26, seed: int = 0) -> MemoryStore:
    words = np.random.default_rng(seed).integers(0, 65536, (count, height, width), dtype=np.uint16)
    return MemoryStore(list(words))
