"""Windows by name and number, against the formula of the standard by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.imaging.window import FULL_HU, PRESETS, Window, apply_window, parse_window


def test_names_and_numbers() -> None:
    assert parse_window("lung") == Window(-600, 1500)
    assert parse_window("-600/1500") == PRESETS["lung"]
    assert parse_window("0.05/0.1") == Window(0.05, 0.1)
    assert parse_window(None) is None
    assert str(Window(40, 400)) == "40/400"


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lung'"):
        parse_window("lungs")


@pytest.mark.parametrize("text", ["40/0", "40/-5", "a/400", "40/nan", "/"])
def test_impossible_windows_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="is not a window"):
        parse_window(text)


def test_linear_window_by_hand() -> None:
    # Centre 40, width 5: black up to 37.5, white above 41.5, between (x - 39.5) / 4 + 1/2.
    values = np.array([37, 38, 39, 40, 41, 42])
    expected = [0, 0.125, 0.375, 0.625, 0.875, 1]
    np.testing.assert_allclose(apply_window(values, Window(40, 5)), expected, atol=1e-9)


def test_full_window_is_12_bits() -> None:
    ends = apply_window(np.array([-1024, 3071]), FULL_HU)
    np.testing.assert_allclose(ends, [0, 1], atol=1e-9)


def test_window_narrower_than_a_value_is_exact() -> None:
    shown = apply_window(np.array([0, 0.25, 0.4, 0.5, 1]), Window(0.5, 0.5))
    np.testing.assert_allclose(shown, [0, 0, 0.3, 0.5, 1], atol=1e-9)
