"""Windows of a file: the first that can be, and what cannot be is left out and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.imaging.dicom_window import declared_window
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import dataset_of, save

VALUES = np.array([[0, 37, 39, 4095]], dtype=np.uint16)
#: Centre 40, width 5: black up to 37.5, white above 41.5, between (x - 39.5) / 4 + 1/2.
LINEAR = [[0, 0, 0.375, 1]]
#: The same without the half: (x - 40) / 5 + 1/2.
EXACT = [[0, 0, 0.3, 1]]
DEPTH = [[0, 37 / 4095, 39 / 4095, 1]]


@pytest.mark.parametrize(
    ("elements", "expected", "said"),
    [
        ({"WindowWidth": 0}, DEPTH, "impossible window 40/0 left out"),
        ({"WindowWidth": 0.5}, DEPTH, "impossible window 40/0.5 left out"),
        ({"WindowWidth": -4096}, DEPTH, "impossible window 40/-4096 left out"),
        (
            {"WindowCenter": [0, 40], "WindowWidth": [0, 5]},
            LINEAR,
            "impossible window 0/0 left out",
        ),
        (
            {"WindowWidth": 5, "VOILUTFunction": "LOG"},
            LINEAR,
            "the window function LOG is unknown: LINEAR",
        ),
        ({"WindowWidth": 5, "VOILUTFunction": ""}, LINEAR, "window 40/5"),
        ({"WindowWidth": 5, "VOILUTFunction": "LINEAR_EXACT"}, EXACT, "window 40/5"),
        ({"WindowWidth": [5, 9], "WindowCenter": [40, 1]}, LINEAR, "window 40/5, first of 2"),
    ],
)
def test_what_cannot_be_is_left_out_and_said(
    tmp_path: Path, elements: dict[str, Any], expected: list[list[float]], said: str
) -> None:
    path = save(tmp_path / "a.dcm", VALUES, bits=12, **{"WindowCenter": 40, **elements})
    picture = read_image(path)
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-6)
    assert said in picture.history


def test_ct_whose_only_window_cannot_be_is_shown_as_without_one(tmp_path: Path) -> None:
    units = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
    window = {"WindowCenter": 0, "WindowWidth": 0}
    picture = read_image(save(tmp_path / "a.dcm", VALUES, bits=12, **units, **window))
    np.testing.assert_allclose(picture.pixels, DEPTH, atol=1e-6)
    assert picture.history[-2:] == (
        "impossible window 0/0 left out",
        "no window declared: -1024 to 3071 HU",
    )


def test_width_below_one_is_possible_where_it_is_exact() -> None:
    elements = {"WindowCenter": 0.5, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}
    shown, steps = declared_window(np.array([0.25, 0.5, 1.0]), dataset_of(VALUES, **elements))
    assert shown is not None
    np.testing.assert_allclose(shown, [0, 0.5, 1])
    assert steps == ("window 0.5/0.5",)


def test_no_window_is_none() -> None:
    assert declared_window(np.zeros(1), dataset_of(VALUES)) == (None, ())
