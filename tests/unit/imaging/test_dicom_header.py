"""Impossible headers are refused by name, before pixels are decoded."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medistill.core.errors import DataError
from medistill.imaging import dicom_header
from medistill.imaging.reader import decode_image, read_image
from tests.unit.imaging.dicom_files import dataset_of, encoded, save

PIXELS = np.zeros((4, 5), dtype=np.uint16)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"Rows": 60000, "Columns": 60000}, "has 60000 x 60000 pixels, more than"),
        ({"Rows": 0}, "has 5 x 0 pixels"),
        ({"Rows": 1, "Columns": 64}, "sides beyond"),
        ({"Rows": None}, "does not say its Rows"),
        ({"BitsAllocated": 24}, "has 24 bits a value"),
        ({"BitsStored": 17}, "stores 17 of 16 bits"),
        ({"HighBit": 3}, "highest bit at 3 with 16 bits stored"),
        ({"SamplesPerPixel": 2}, "2 samples a pixel"),
        ({"PhotometricInterpretation": "CMYK"}, "CMYK, which is not read"),
        ({"PixelData": None}, "is cut off before its pixels"),
        ({"PixelData": None, "Rows": None}, "without a picture .it is CT Image Storage"),
        ({"Modality": "RTDOSE"}, "is a radiotherapy dose, not a picture"),
        ({"Rows": 8}, "is truncated: 40 of 80 bytes"),
        ({"FloatPixelData": b"1234"}, "floating-point pixels"),
    ],
)
def test_header_is_refused(tmp_path: Path, elements: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_image(save(tmp_path / "a.dcm", PIXELS, **elements))


def test_deflated_file_is_read_and_a_bomb_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = dataset_of(np.full((40, 40), 9, dtype=np.uint8))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = encoded(dataset)
    assert decode_image(io.BytesIO(data), where="a").pixels.shape == (40, 40)
    monkeypatch.setattr(dicom_header, "_MAX_INFLATED", 1000)
    with pytest.raises(DataError, match="inflates beyond"):
        decode_image(io.BytesIO(data), where="a")


def test_bomb_is_not_held_in_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = b"".join(packer.compress(b"\0" * 2**20) for _ in range(64)) + packer.flush()
    assert dicom_header._inflates_beyond(io.BytesIO(packed), 2**22)
    assert not dicom_header._inflates_beyond(io.BytesIO(packed), 2**26)
