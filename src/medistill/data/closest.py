"""Perceptual hashes that are all but equal, joined whatever lies between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
#: Different bits, of 64, up to which two pictures always share a cluster.
CLOSEST = 2


def closest_components(hashes: Bits, distance: int = CLOSEST) -> NDArray[np.int64]:
    """Component of each hash, where all pairs of at most ``distance`` different bits are joined.

    Hashes are cut into ``distance + 1`` pieces: two that differ in at most ``distance`` bits agree
    in one piece (the pigeonhole principle), so that only those are compared.

    Args:
        hashes: bool of shape (N, B).
        distance: bits, at least 0.

    Returns:
        Component numbers of shape (N,), the row of each component's first member.
    """
    parent = np.arange(len(hashes))
    for piece in np.array_split(np.arange(hashes.shape[1]), distance + 1):
        _, bucket = np.unique(hashes[:, piece], axis=0, return_inverse=True)
        for rows in rows_alike(bucket.ravel()):
            _join_within(parent, hashes, rows, distance)
    return np.array([_root(parent, row) for row in range(len(hashes))], dtype=np.int64)


def rows_alike(numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows that share a number, in order, where two or more do; by the number.

    Args:
        numbers: shape (N,).
    """
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=numbers.min(initial=0) - 1))
    ends = np.append(starts[1:], len(order))
    # Of a hundred thousand pictures most have no other of their number.
    shared = np.flatnonzero(ends - starts > 1)
    for start, end in zip(starts[shared].tolist(), ends[shared].tolist(), strict=True):
        yield order[start:end]


def _join_within(parent: NDArray[np.int64], hashes: Bits, rows: NDArray[np.int64], d: int) -> None:
    for position, row in enumerate(rows[:-1].tolist()):
        others = rows[position + 1 :]
        near = others[np.count_nonzero(hashes[others] != hashes[row], axis=1) <= d]
        for other in near.tolist():
            one, two = sorted((_root(parent, row), _root(parent, other)))
            parent[two] = one


def _root(parent: NDArray[np.int64], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def without_wide(hashes: Bits, components: NDArray[np.int64], distance: int) -> NDArray[np.int64]:
    """Components as they are, but those wider than ``distance`` bits fall apart into single rows.

    Args:
        hashes: bool of shape (N, B).
        components: shape (N,), as :func:`closest_components` numbers them.
        distance: bits.
    """
    kept = components.copy()
    for rows in rows_alike(components):
        spans = (int((hashes[rows] != hashes[row]).sum(axis=1).max()) for row in rows)
        if max(spans) > distance:
            kept[rows] = rows
    return kept
