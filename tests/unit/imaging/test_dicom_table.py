"""One look-up table, stored in every way that DICOM knows, gives the same gray."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from medistill.core.errors import DataError
from medistill.imaging.dicom_table import Table, table_of
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import bytes_table, dataset_of, save, table

VALUES = np.arange(256, dtype=np.uint8).reshape(16, 16)
#: The negative, with entries of 8 bits.
NEGATIVE = 255 - np.arange(256, dtype=np.uint16)
SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence")


def _item(stored: str, syntax: UID) -> Dataset:
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    if stored == "numbers":
        return table(NEGATIVE, first=0, bits=8)
    if stored == "words":
        return bytes_table(NEGATIVE.astype(order).tobytes(), entries=256, bits=8)
    # Two entries are one word, whose lower half is the first.
    packed = NEGATIVE.astype(np.uint8).view("<u2").astype(order)
    return bytes_table(packed.tobytes(), entries=256, bits=8)


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("stored", ["numbers", "words", "two to a word"])
@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian],
    ids=["explicit", "implicit", "big endian"],
)
def test_one_table_is_the_same_whichever_way_it_is_stored(
    tmp_path: Path, syntax: UID, stored: str, sequence: str
) -> None:
    item = _item(stored, syntax)
    item.ModalityLUTType = "US"
    found = dataset_of(VALUES, **{sequence: [item]})
    found.file_meta.TransferSyntaxUID = syntax
    dcmwrite(tmp_path / "a.dcm", found, enforce_file_format=True)
    shown = read_image(tmp_path / "a.dcm").pixels
    np.testing.assert_allclose(shown, (255 - VALUES) / 255, atol=1e-6)


@pytest.mark.parametrize("first", [-1024, 2**16 - 1024])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_first_value_of_a_voi_table_may_be_negative_whatever_the_pixels_are(
    tmp_path: Path, syntax: UID, first: int
) -> None:
    """Pixels of 0 to 4095 in units of -1024 to 3071, under a table of as many entries."""
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    item = table(np.arange(4096, dtype=np.uint16) * 16, first=0, bits=16)
    item[0x00283002].VR, item[0x00283002].value = ("SS" if first < 0 else "US"), [4096, first, 16]
    elements = {"RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": [item]}
    found = dataset_of(values, bits=12, **elements)
    found.file_meta.TransferSyntaxUID = syntax
    dcmwrite(tmp_path / "a.dcm", found, enforce_file_format=True)
    shown = read_image(tmp_path / "a.dcm").pixels
    np.testing.assert_allclose(shown, values * 16 / 65535, atol=1e-6)


def test_long_voi_table_of_8_bit_entries_does_not_wrap(tmp_path: Path) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    item = table((np.arange(4096) // 16).astype(np.uint16), first=0, bits=8)
    path = save(tmp_path / "a.dcm", values, bits=12, VOILUTSequence=[item])
    np.testing.assert_allclose(read_image(path).pixels, (values // 16) / 255, atol=1e-6)


def test_values_outside_become_the_ends_by_hand() -> None:
    lut = Table(np.array([7, 8, 9], dtype=np.uint16), first=-1, claimed=3, bits=16)
    assert lut(np.array([-5, -1, 0, 1, 70_000])).tolist() == [7, 7, 8, 9, 9]


def test_count_of_zero_is_that_of_16_bits() -> None:
    item = bytes_table(np.arange(2**16, dtype="<u2").tobytes(), entries=0, bits=16)
    lut = table_of(dataset_of(VALUES, VOILUTSequence=[item]), "VOILUTSequence")
    assert lut(np.array([0, 40_000, 65_535])).tolist() == [0, 40_000, 65_535]


@pytest.mark.parametrize(
    ("entries", "bits", "words"),
    [
        (NEGATIVE, 17, "entries of 17 bits"),
        (NEGATIVE, 0, "entries of 0 bits"),
        (NEGATIVE * 257, 8, "entries of 8 bits that exceed them"),
        (NEGATIVE[:100], 16, "a table of 256 entries holds 100"),
        (NEGATIVE[:100], 8, "a table of 256 entries holds 100"),
    ],
)
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_impossible_tables_are_refused(
    tmp_path: Path, sequence: str, entries: NDArray[np.uint16], bits: int, words: str
) -> None:
    item = table(entries, first=0, bits=bits)
    item.LUTDescriptor = [256, 0, bits]
    path = save(tmp_path / "a.dcm", VALUES, **{sequence: [item]})
    with pytest.raises(DataError, match=words):
        read_image(path)
