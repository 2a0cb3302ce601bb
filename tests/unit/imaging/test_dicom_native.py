"""Uncompressed gray pixels are those of pydicom's own decoder."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, RLELossless

from medistill.imaging.dicom_header import Layout, check_layout, parse_dicom
from medistill.imaging.dicom_native import native_values
from tests.unit.imaging.dicom_files import dataset_of, encoded

DRAW = np.random.default_rng(0)
PIXELS: dict[str, NDArray[Any]] = {
    "8 bits": DRAW.integers(0, 256, (5, 7), dtype=np.uint8),
    "8 bits, signed": DRAW.integers(-128, 128, (5, 7)).astype(np.int8),
    "16 bits": DRAW.integers(0, 65536, (5, 7), dtype=np.uint16),
    "16 bits, signed": DRAW.integers(-32768, 32768, (5, 7)).astype(np.int16),
}


def _parsed(pixels: NDArray[Any], frame: int | None = None, **elements: Any) -> tuple[Any, Layout]:
    dataset = parse_dicom(io.BytesIO(encoded(dataset_of(pixels, **elements))), "a.dcm")
    return dataset, check_layout(dataset, "a.dcm", frame)


@pytest.mark.parametrize("kind", PIXELS)
def test_values_are_pydicoms(kind: str) -> None:
    dataset, layout = _parsed(PIXELS[kind])
    found = native_values(dataset, layout)
    assert found is not None
    assert found.dtype == PIXELS[kind].dtype
    np.testing.assert_array_equal(found, pixel_array(dataset))
    np.testing.assert_array_equal(found, PIXELS[kind])


def test_one_frame_of_several() -> None:
    frames = DRAW.integers(0, 4096, (3, 4, 6), dtype=np.uint16)
    dataset, layout = _parsed(
        frames.reshape(12, 6), frame=1, bits=12, NumberOfFrames=3, Rows=4, Columns=6
    )
    found = native_values(dataset, layout)
    np.testing.assert_array_equal(found, frames[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("syntax", [RLELossless, ExplicitVRBigEndian])
def test_other_forms_are_left_to_pydicom(syntax: UID) -> None:
    dataset, layout = _parsed(PIXELS["16 bits"])
    dataset.file_meta.TransferSyntaxUID = syntax
    assert native_values(dataset, layout) is None


def test_colour_is_left_to_pydicom() -> None:
    assert native_values(*_parsed(np.zeros((4, 6, 3), dtype=np.uint8))) is None
