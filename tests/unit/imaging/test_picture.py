"""Sizes that are refused by a header alone."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.imaging.picture import MAX_PIXELS, check_size, frozen, reason_of


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (60000, 60000, "more than 64,000,000"),
        (0, 5, "has 0 x 5 pixels"),
        (33, 1, "sides beyond 1:32"),
    ],
)
def test_size_is_refused(width: int, height: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        check_size("a.png", width=width, height=height)


def test_largest_size_passes() -> None:
    check_size("a.png", width=8000, height=MAX_PIXELS // 8000)
    check_size("a.png", width=32, height=1)


def test_frozen_is_single_and_read_only() -> None:
    pixels = frozen(np.zeros((2, 2)))
    assert (pixels.dtype, pixels.flags.writeable) == (np.float32, False)


def test_reason_is_one_line() -> None:
    assert reason_of(ValueError("one.\ntwo")) == "one"
    assert (
        reason_of(ValueError("all failed:\n  codec: no marker")) == "all failed: codec: no marker"
    )
    assert reason_of(KeyError()) == "KeyError"
