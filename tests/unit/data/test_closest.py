"""Pairs of few different bits are joined, all of them and no others."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.data.closest import closest_components, rows_alike, without_wide


def test_every_close_pair_is_joined_and_no_other() -> None:
    draw = np.random.default_rng(0)
    hashes = draw.random((60, 64)) < 0.5
    copies = hashes[:30].copy()
    for row in copies:
        row[draw.choice(64, 2, replace=False)] ^= True
    found = closest_components(np.concatenate([hashes, copies]))
    np.testing.assert_array_equal(found[60:], found[:30])
    assert len(set(found.tolist())) == 60


def test_chain_is_one_component() -> None:
    steps = np.tril(np.ones((20, 64), dtype=np.bool_))
    np.testing.assert_array_equal(closest_components(steps, 1), np.zeros(20))


@pytest.mark.parametrize(("distance", "count"), [(2, 2), (3, 1)])
def test_distance_itself_is_within(distance: int, count: int) -> None:
    hashes = np.zeros((2, 64), dtype=np.bool_)
    hashes[1, [0, 30, 60]] = True
    assert len(set(closest_components(hashes, distance).tolist())) == count


def test_rows_alike_are_those_of_every_number_that_comes_twice() -> None:
    numbers = np.array([4, -1, 4, 0, 2, -1, 4])
    assert [rows.tolist() for rows in rows_alike(numbers)] == [[1, 5], [0, 2, 6]]
    assert list(rows_alike(np.arange(3))) == list(rows_alike(np.zeros(0, dtype=np.int64))) == []


def test_wide_components_fall_apart() -> None:
    steps = np.tril(np.ones((20, 64), dtype=np.bool_))
    chain = closest_components(steps, 1)
    np.testing.assert_array_equal(without_wide(steps, chain, 18), np.arange(20))
    np.testing.assert_array_equal(without_wide(steps, chain, 19), chain)
