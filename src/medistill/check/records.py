"""Facts of many images as rows of fixed size, in memory or mapped from a file.

A hundred thousand images are 150 MB in a file that the system drops from memory when it needs room;
as objects of Python they would be three times that, and would stay.
"""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medistill.check.facts import Facts

#: One image. ``text`` numbers the texts of its table: kind of file, or why it cannot be read.
RECORD = np.dtype(
    [
        ("key", "V16"),
        ("content", "V16"),
        ("stored", "V32"),
        ("bits", "u1", (8,)),
        ("thumb", "u1", (256,)),
        ("look", "u1", (1024,)),
        ("size_bytes", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("letters", "<i4"),
        ("text", "<i4"),
        ("low", "<f8"),
        ("high", "<f8"),
        ("mean", "<f8"),
        ("white", "<f8"),
        ("corners", "<f8", (4,)),
        ("edges", "<f8", (8,)),
        ("unreadable", "?"),
    ]
)
_PACKED = struct.Struct("<16x16s32s8s256s1024sqiiii16d?")
_NOT_STORED = bytes(32)


@dataclass(frozen=True)
class Records:
    """Rows of facts with their texts.

    Attributes:
        rows: of dtype ``RECORD``, shape (N,).
        texts: the different texts that the rows number.
    """

    rows: NDArray[np.void]
    texts: list[str]

    @classmethod
    def of(cls, rows: NDArray[np.void], texts: Sequence[str]) -> Records:
        """Rows with one text each."""
        different = list(dict.fromkeys(texts))
        number = {text: place for place, text in enumerate(different)}
        rows["text"] = [number[text] for text in texts]
        return cls(rows, different)


class FactsTable(Mapping[str, Facts]):
    """Facts by name, made from a row when they are asked for.

    Args:
        names: of the rows, in order.
        records: the rows and their texts.
    """

    def __init__(self, names: Sequence[str], records: Records) -> None:
        self._row = {name: row for row, name in enumerate(names)}
        self._texts = records.texts
        self._bytes = memoryview(records.rows.view(np.uint8).data)

    def only(self, names: Iterable[str]) -> FactsTable:
        """The facts of some images, in their order; the rows are shared."""
        some = copy.copy(self)
        some._row = {name: self._row[name] for name in names}
        return some

    def __len__(self) -> int:
        return len(self._row)

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __getitem__(self, name: str) -> Facts:
        held = _PACKED.unpack_from(self._bytes, self._row[name] * _PACKED.size)
        content, stored, bits, thumb, look, size_bytes, width, height, signs, text, *numbers = held
        if numbers.pop():
            return Facts(problem=self._texts[text])
        return Facts(
            kind=self._texts[text],
            width=width,
            height=height,
            size_bytes=size_bytes,
            low=numbers[0],
            high=numbers[1],
            mean=numbers[2],
            white=numbers[3],
            corners=tuple(numbers[4:8]),
            edges=tuple(numbers[8:]),
            letters=signs,
            content=content.hex(),
            stored="" if stored == _NOT_STORED else stored.hex(),
            bits=bits.hex(),
            thumb=thumb.hex(),
            look=look.hex(),
        )
