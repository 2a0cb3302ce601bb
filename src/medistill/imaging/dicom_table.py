"""Values through a modality or VOI look-up table of DICOM, however its entries are stored.

Entries are numbers (VR US) or bytes (OW: in every file of implicit VR), and those of 8 bits lie one
or two to a word (PS3.3, C.11.1.1 and C.11.2.1.1). Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian

_MOST_ENTRIES, _DEEPEST = 2**16, 16


@dataclass(frozen=True)
class Table:
    """A look-up table.

    Attributes:
        entries: whole numbers, uint16 of shape (n,).
        first: the value that becomes the first entry; smaller ones do too.
        claimed: number of entries that the file claims; values beyond become the last.
        bits: bits of an entry: 2^bits - 1 is the largest.
    """

    entries: NDArray[np.uint16]
    first: int
    claimed: int
    bits: int

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.float64]:
        """The entry of each value, of the same shape.

        Raises:
            ValueError: a value needs an entry that is missing.
        """
        places = np.clip(values - self.first, 0, self.claimed - 1)
        if places.size and places.max() >= len(self.entries):
            raise ValueError(f"a table of {self.claimed} entries holds {len(self.entries)}")
        return self.entries[places].astype(np.float64)


def table_of(dataset: Dataset, sequence: str) -> Table:
    """The first table of a sequence.

    Args:
        dataset: the file's elements; its transfer syntax says the order of bytes.
        sequence: keyword of the sequence, which holds an item.

    Raises:
        ValueError: bits or entries that cannot be.
    """
    item = dataset[sequence].value[0]
    claimed, first, bits = (int(number) for number in item.LUTDescriptor)
    if not 1 <= bits <= _DEEPEST:
        raise ValueError(f"a table with entries of {bits} bits")
    claimed = claimed or _MOST_ENTRIES
    # The first value is in units of the picture, which may be negative, whatever the pixels are
    # (PS3.3, C.11.2.1.1); read without its sign the table would leave 16 bits.
    if first >= 2**15 and first + claimed > 2**16:
        first -= 2**16
    big = dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    entries = _unpacked(_words(item.LUTData, big=big), claimed, bits)
    if bits <= 8 and entries.size and entries.max() > 255:
        raise ValueError(f"entries of {bits} bits that exceed them")
    return Table(entries, first, claimed, bits)


def _words(data: Any, *, big: bool) -> NDArray[np.uint16]:
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data)).astype(np.uint16)
    even = data + b"\0" * (len(data) % 2)
    return np.frombuffer(even, ">u2" if big else "<u2").astype(np.uint16)


def _unpacked(words: NDArray[np.uint16], claimed: int, bits: int) -> NDArray[np.uint16]:
    """Entries of 8 bits that lie two to a word, the first in its lower half; else the words."""
    if bits > 8 or not len(words) < claimed <= 2 * len(words):
        return words[:claimed]
    halves = np.stack([words & 0xFF, words >> 8], axis=-1)
    return halves.reshape(-1)[:claimed]
