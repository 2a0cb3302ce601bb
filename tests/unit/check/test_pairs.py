"""Candidates are all pairs within both bounds, the closest first."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.check import pairs
from medistill.check.pairs import LOOSE_BITS, LOOSELY_ALIKE, loose_pairs, signs_of

DRAW = np.random.default_rng(0)


def _set(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Some of the rows are variants of the first."""
    bits = DRAW.integers(0, 2, (count, 64)).astype(np.uint8)
    thumbs = DRAW.integers(0, 256, (count, 256)).astype(np.uint8)
    for row in range(1, count, 3):
        bits[row] = bits[0]
        bits[row, DRAW.permutation(64)[: row % 20]] ^= 1
        thumbs[row] = np.clip(thumbs[0] + DRAW.normal(0, row / 2, 256), 0, 255).astype(np.uint8)
    return signs_of([np.packbits(row).tobytes().hex() for row in bits]), thumbs


def test_every_pair_within_both_bounds_is_found() -> None:
    signs, thumbs = _set(1100)  # more than one block
    found = loose_pairs(signs, thumbs)
    bits = (64 - signs @ signs.T) / 2
    alike = np.corrcoef(thumbs)
    wanted = np.argwhere(np.triu((bits <= LOOSE_BITS) & (alike >= LOOSELY_ALIKE), 1))
    assert len(wanted) > 100
    assert {tuple(p) for p in found.tolist()} == {tuple(p) for p in wanted.tolist()}
    distances = bits[found[:, 0], found[:, 1]]
    assert (np.diff(distances) >= 0).all()


def test_too_many_are_cut_at_the_farthest(monkeypatch: pytest.MonkeyPatch) -> None:
    signs, thumbs = _set(300)
    whole = loose_pairs(signs, thumbs)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 7)
    np.testing.assert_array_equal(loose_pairs(signs, thumbs), whole[:7])


def test_sets_too_small_or_too_large_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    signs, thumbs = _set(40)
    assert loose_pairs(signs[:1], thumbs[:1]).shape == (0, 2)
    assert loose_pairs(signs[:0], thumbs[:0]).shape == (0, 2)
    monkeypatch.setattr(pairs, "LARGE_SET", 39)
    assert loose_pairs(signs, thumbs).shape == (0, 2)
