"""Pairs of pictures that may be one: loosely alike by hash and by small picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Different bits, of 64, and correlation of 16 x 16 pictures. Of copies cut by 2 % and encoded
#: again 97 to 100 % are within both, of unrelated chest radiographs 1 pair in 900.
LOOSE_BITS, LOOSELY_ALIKE = 14, 0.88
#: Above this many pictures the search would take longer than reading them: it is left out.
LARGE_SET = 20_000
#: Most pairs that are looked at, the closest hashes first.
MOST_PAIRS = 50_000
_BLOCK = 128
#: Rows of two pictures, shape (P, 2).
Pairs = NDArray[np.intp]
Float = NDArray[np.float32]


def signs_of(hashes: Sequence[str]) -> Float:
    """Hashes of 16 hexadecimal digits as N rows of 64 times 1 or -1."""
    held = np.frombuffer(b"".join(map(bytes.fromhex, hashes)), np.uint8).reshape(-1, 8)
    return np.asarray(np.unpackbits(held, axis=1) * 2.0 - 1.0, dtype=np.float32)


def loose_pairs(signs: Float, thumbs: NDArray[np.uint8]) -> Pairs:
    """Candidates, first row before the second; none in a set above ``LARGE_SET``.

    Args:
        signs: (N, 64), as :func:`signs_of`.
        thumbs: (N, 256) gray of 8 bits.
    """
    if not 2 <= len(signs) <= LARGE_SET:
        return np.zeros((0, 2), dtype=np.intp)
    units = _units(thumbs)
    found, distances = [], []
    for start in range(0, len(signs), _BLOCK):
        bits = (signs.shape[1] - signs[start : start + _BLOCK] @ signs[start:].T) / 2
        one, two = np.nonzero(np.triu(bits <= LOOSE_BITS, 1))
        alike = np.einsum("ij,ij->i", units[start + one], units[start + two]) >= LOOSELY_ALIKE
        one, two = one[alike], two[alike]
        found.append(np.stack([one, two], axis=1) + start)
        distances.append(bits[one, two])
    order = np.argsort(np.concatenate(distances), kind="stable")[:MOST_PAIRS]
    return np.concatenate(found)[order]


def _units(thumbs: NDArray[np.uint8]) -> Float:
    """Pictures without their mean, of length 1."""
    values = thumbs.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.maximum(lengths, 1e-6)
    return values
