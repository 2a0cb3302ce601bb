"""Results come in the order of the items, with a few items taken at most."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import pytest

from medistill.data.processes import MOST_AT_ONCE, in_order, piece_size


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_that_of_the_items(workers: int) -> None:
    assert list(in_order(range(9), operator.neg, workers=workers)) == [-n for n in range(9)]


@pytest.mark.parametrize("workers", [0, 1])
def test_few_items_are_taken_ahead(workers: int) -> None:
    taken: list[int] = []

    def watched() -> Iterator[int]:
        for item in range(12):
            taken.append(item)
            yield item

    for number, _ in enumerate(in_order(watched(), operator.neg, workers=workers), start=1):
        assert len(taken) <= number + 2 * workers


def test_fault_of_a_process_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order([1, 0], operator.truth(1).__truediv__, workers=1))


@pytest.mark.parametrize(
    ("count", "workers", "size"),
    [(100_000, 2, MOST_AT_ONCE), (100, 2, 12), (3, 2, 1), (0, 2, 1), (40, 0, 10)],
)
def test_pieces_share_out_small_sets(count: int, workers: int, size: int) -> None:
    assert piece_size(count, workers) == size
