"""Rows of signs by hand: drawn from bars, so that every height and gap is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from medistill.check.signs import longest_row

_TALLEST = 40


def _bars(
    heights: list[int], *, gap: int = 6, ground: int = 20, ink: int = 220
) -> NDArray[np.uint8]:
    """Upright bars of 3 columns on one line, (96, 256)."""
    gray = np.full((96, 256), ground, dtype=np.uint8)
    for number, height in enumerate(heights):
        left = 20 + number * (3 + gap)
        gray[60 - height : 60, left : left + 3] = ink
    return gray


def test_bright_and_dark_signs_are_counted() -> None:
    assert longest_row(_bars([12] * 6), _TALLEST) == 6
    assert longest_row(_bars([12] * 6, ground=220, ink=20), _TALLEST) == 6


def test_fewer_than_four_are_no_row() -> None:
    assert longest_row(_bars([12] * 3), _TALLEST) == 0


@pytest.mark.parametrize(("gap", "signs"), [(17, 6), (22, 0)])
def test_a_gap_of_more_than_one_and_a_half_heights_ends_a_row(gap: int, signs: int) -> None:
    assert longest_row(_bars([12] * 6, gap=gap), _TALLEST) == signs


@pytest.mark.parametrize(
    ("heights", "signs"),
    [([12, 16, 12, 12, 17, 12], 6), ([12, 24, 12, 30, 12, 22], 0), ([12, 9, 12, 7, 12, 6], 0)],
)
def test_capitals_belong_to_small_letters_and_nothing_else_does(
    heights: list[int], signs: int
) -> None:
    assert longest_row(_bars(heights), _TALLEST) == signs


def test_what_is_too_tall_too_low_or_too_faint_is_no_sign() -> None:
    assert longest_row(_bars([12] * 6), tallest=11) == 0
    assert longest_row(_bars([3] * 6), _TALLEST) == 0
    assert longest_row(_bars([12] * 6, ground=100, ink=145), _TALLEST) == 0


def test_filled_blocks_are_no_signs() -> None:
    gray = np.full((96, 256), 20, dtype=np.uint8)
    for left in range(20, 140, 20):
        gray[48:60, left : left + 10] = 220
    assert longest_row(gray, _TALLEST) == 0
