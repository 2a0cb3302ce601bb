"""One picture stored in the many ways of DICOM, each with what a viewer would show.

The same picture has to come out of every file: what differs is the meaning that its header gives to
the numbers (PS3.3, C.7.6.3, C.11.1 and C.11.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

#: Rows and columns differ, so that a turned picture is noticed.
ROWS, COLUMNS = 48, 80
Values = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """A file and what it shows.

    Attributes:
        name: of the file, without its ending.
        words: how the table names it.
        stored: (H, W) or (H, W, 3) stored values.
        shown: the same shape in [0, 1]: 0 black, 1 white.
        header: DICOM elements by keyword.
        packed: whether it is compressed (RLE).
    """

    name: str
    words: str
    stored: NDArray[Any]
    shown: NDArray[np.float64]
    header: dict[str, Any] = field(default_factory=dict)
    packed: bool = False


def cases() -> Iterator[Case]:
    """Every case; gray ones show one picture of 4,096 grays."""
    gray = _picture()
    share = gray / 4095
    twelve = gray.astype(np.uint16)
    depth = {"BitsStored": 12, "HighBit": 11}
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    eight = np.rint(share * 255).astype(np.uint8)
    yield Case("eight", "8 bits, MONOCHROME2", eight, eight / 255)
    yield Case("twelve", "12 bits in 16", twelve, share, depth)
    yield Case("mono1", "MONOCHROME1, 12 in 16", 4095 - twelve, share, {**depth, **_MONO1})
    yield Case("window", "12 bits, window of the file", twelve, share, {**depth, **window})
    yield Case("rle", "12 bits, RLE compressed", twelve, share, depth, packed=True)
    yield from _tables(twelve, share, depth)
    yield from _computed_tomography(gray, share)
    yield from _coloured(eight)


_MONO1 = {"PhotometricInterpretation": "MONOCHROME1"}


def _picture() -> Values:
    """A slope with a bright and a dark disc: every gray from 0 to 4095 can occur."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    slope = np.rint(4095 * (rows * COLUMNS + columns) / (ROWS * COLUMNS - 1)).astype(np.int64)
    slope[(rows - 12) ** 2 + (columns - 20) ** 2 < 60] = 3800
    slope[(rows - 36) ** 2 + (columns - 60) ** 2 < 90] = 200
    return np.asarray(slope)


def _table(values: NDArray[Any], bits: int) -> list[Dataset]:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(values), 0, bits])
    item.add_new(0x00283006, "US", [int(value) for value in values])
    return [item]


def _tables(
    twelve: NDArray[Any], share: NDArray[np.float64], depth: dict[str, Any]
) -> Iterator[Case]:
    curve = np.rint(4095 * (np.arange(4096) / 4095) ** 2).astype(np.uint16)
    wide = np.rint(65535 * (np.arange(4096) / 4095) ** 2).astype(np.uint16)
    voi = {**depth, "VOILUTSequence": _table(curve, 12)}
    short = {**depth, "ModalityLUTSequence": _table(curve, 12)}
    long = {**depth, "ModalityLUTSequence": _table(wide, 16)}
    yield Case("voi", "VOI LUT (a curve)", twelve, curve[twelve] / 4095, voi)
    yield Case("modality", "modality LUT, 16 bits", twelve, wide[twelve] / 65535, long)
    yield Case("modality-12", "modality LUT, 12 bits", twelve, curve[twelve] / 4095, short)
    padded = twelve.copy()
    padded[:, :8] = 4095
    black = np.where(padded == 4095, 0, share)
    yield Case("padding", "padding value 4095", padded, black, {**depth, "PixelPaddingValue": 4095})


def _computed_tomography(gray: Values, share: NDArray[np.float64]) -> Iterator[Case]:
    """Lung window: -1350 to 150 HU; a disc of metal and air outside of it."""
    units = np.rint(-1350 + 1499 * share).astype(np.int64)
    units[:6, :6], units[-6:, -6:] = 3000, -2000
    window = {"WindowCenter": -600, "WindowWidth": 1500, "Modality": "CT"}
    shown = np.clip((units + 600.5) / 1499 + 0.5, 0, 1)
    signed = {**window, "RescaleSlope": 1, "RescaleIntercept": 0}
    yield Case("ct-signed", "CT, signed, lung window", units.astype(np.int16), shown, signed)
    shifted = {**window, "RescaleSlope": 1, "RescaleIntercept": -2024}
    stored = (units + 2024).astype(np.uint16)
    yield Case("ct-unsigned", "CT, unsigned, intercept -2024", stored, shown, shifted)
    several = {**signed, "WindowCenter": [-600, 40], "WindowWidth": [1500, 400]}
    yield Case("ct-windows", "CT, two windows (first)", units.astype(np.int16), shown, several)


def _coloured(eight: NDArray[np.uint8]) -> Iterator[Case]:
    rgb = np.stack([eight, 255 - eight, np.roll(eight, 9, axis=1)], axis=-1)
    yield Case("rgb", "RGB", rgb, rgb / 255, {"PhotometricInterpretation": "RGB"})
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL")
    back = convert_color_space(ybr, "YBR_FULL", "RGB")
    yield Case("ybr", "YBR_FULL", ybr, back / 255, {"PhotometricInterpretation": "YBR_FULL"})
    curves = [np.arange(256), 255 - np.arange(256), np.arange(256) // 2]
    header: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, curve in zip(("Red", "Green", "Blue"), curves, strict=True):
        header[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        data = (curve * 257).astype("<u2").tobytes()
        header[f"{colour}PaletteColorLookupTableData"] = data
    shown = np.stack([curve[eight] for curve in curves], axis=-1) / 255
    yield Case("palette", "palette of 16-bit colours", eight, shown, header)


def write(case: Case, path: Path) -> None:
    """Write a case as a DICOM file."""
    kind = (
        CTImageStorage if case.header.get("Modality") == "CT" else ComputedRadiographyImageStorage
    )
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    found.Modality, found.PatientID = "CR", "none"
    found.Rows, found.Columns = case.stored.shape[:2]
    found.SamplesPerPixel = 1 if case.stored.ndim == 2 else 3
    if case.stored.ndim == 3:
        found.PlanarConfiguration = 0
    found.PhotometricInterpretation = "MONOCHROME2"
    found.BitsAllocated = found.BitsStored = 8 * case.stored.dtype.itemsize
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(case.stored.dtype.kind == "i")
    # Affine matrices of volumes are worked out from these.
    found.PixelSpacing, found.SliceThickness = [1, 1], 1
    found.ImagePositionPatient, found.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    found.PixelData = case.stored.tobytes()
    found["PixelData"].VR = "OB" if found.BitsAllocated == 8 else "OW"
    for keyword, value in case.header.items():
        setattr(found, keyword, value)
    if case.packed:
        found.compress(RLELossless)
    found.save_as(path, enforce_file_format=True)
