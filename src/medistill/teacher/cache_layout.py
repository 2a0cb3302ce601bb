"""What cached targets belong to, and how they lie in shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medistill.core.files import sha256_bytes

Stored = Literal["float16", "float32"]
Hashes = NDArray[np.bytes_]


@dataclass(frozen=True, kw_only=True)
class CacheKey:
    """What targets belong to. Two caches with equal keys hold equal targets.

    Attributes:
        images: hash of the set of content hashes.
        views: hash of which view numbers.
        policy: hash of how views are drawn and rendered.
        teacher: hash of the teacher's weights and buffers.
        folds: hash of which member answers for which image.
        preprocessing: hash of the teacher's input size, normalisation and so on.
        precision: in which the teacher computed and in which its answers are stored.
        targets: hash of the names and shapes of the targets.
    """

    images: str
    views: str
    policy: str
    teacher: str
    folds: str
    preprocessing: str
    precision: str
    targets: str

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Which parts of another key differ from this one, in words."""
        return [
            _MEANING[each.name]
            for each in fields(self)
            if other.get(each.name) != getattr(self, each.name)
        ]

    def to_json(self) -> dict[str, str]:
        """As a JSON object."""
        return asdict(self)


_MEANING = {
    "images": "the images (data)",
    "views": "the view numbers (views.count)",
    "policy": "the view policy (views)",
    "teacher": "the teacher's weights or buffers",
    "folds": "the folds of the cross-fitted teacher",
    "preprocessing": "the teacher's preprocessing",
    "precision": "the precision",
    "targets": "the names or shapes of the targets (method)",
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How targets lie in shards.

    Targets form one matrix: a row for each (view, image), views outermost so that a pass over
    the images stays in one region of the disk; and the flattened targets beside each other in
    the order of their names. Shards cut the rows.

    Attributes:
        images: number of distinct images, n.
        views: view numbers in their order.
        shapes: name of target -> shape without the batch, sorted by name.
        stored: type of the numbers.
        shard_rows: rows of every shard but the last.
    """

    images: int
    views: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]
    stored: Stored
    shard_rows: int

    @property
    def rows(self) -> int:
        """Rows of the matrix."""
        return self.images * len(self.views)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return sum(prod(shape) for shape in self.shapes.values())

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.rows // self.shard_rows)

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return self.width * np.dtype(self.stored).itemsize

    @property
    def bytes(self) -> int:
        """Size of all numbers."""
        return self.rows * self.row_bytes

    def span(self, shard: int) -> range:
        """Rows of the matrix that a shard holds."""
        return range(shard * self.shard_rows, min(self.rows, (shard + 1) * self.shard_rows))

    def columns(self) -> dict[str, slice]:
        """Where each target lies in a row."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return found


def in_words(size: int) -> str:
    """A number of bytes for people, in decimal units."""
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = min(len(units) - 1, max(0, (len(str(size)) - 1) // 3))
    return f"{size:,} bytes" if power == 0 else f"{size / 1000**power:.1f} {units[power]}"


def images_hash(hashes: Hashes) -> str:
    """Hash of a sorted list of content hashes."""
    return sha256_bytes(np.ascontiguousarray(hashes).tobytes())
