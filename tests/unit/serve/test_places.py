from __future__ import annotations

import pytest

from medistill.serve.places import FullError, Places


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_or_none_are_taken_and_all_are_given_back() -> None:
    places = Places(3)
    with places.held(2):
        assert places.taken == 2
        with pytest.raises(FullError), places.held(2):
            pass
        with places.held(1):
            assert places.taken == 3
    assert places.taken == 0


def test_places_are_given_back_after_an_error() -> None:
    places = Places(1)
    with pytest.raises(KeyError), places.held(1):
        raise KeyError
    assert places.taken == 0


def test_retry_after_is_the_time_that_what_is_inside_takes() -> None:
    clock = Clock()
    places = Places(10, clock)
    with places.held(2):
        clock.now = 4.0  # two in four seconds: half a one a second
    with places.held(8), pytest.raises(FullError) as full, places.held(3):
        pass
    assert full.value.retry_after == 16


def test_retry_after_is_never_below_one_nor_above_half_a_minute() -> None:
    clock = Clock()
    places = Places(1, clock)
    with places.held(1), pytest.raises(FullError, match="try again in 1 s"), places.held(1):
        pass
    with places.held(1):
        clock.now = 1e6
    with places.held(1), pytest.raises(FullError, match="in 30 s"), places.held(1):
        pass
