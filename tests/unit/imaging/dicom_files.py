"""DICOM files that the tests construct."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def dataset_of(pixels: NDArray[Any], *, bits: int | None = None, **elements: Any) -> FileDataset:
    """A single-frame file of whole numbers, gray (H, W) or colour (H, W, 3)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    found.Modality, found.PatientID = "CR", "p1"
    found.Rows, found.Columns = pixels.shape[:2]
    found.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    found.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        found.PlanarConfiguration = 0
    allocated = pixels.dtype.itemsize * 8
    found.BitsAllocated, found.BitsStored = allocated, bits or allocated
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PixelData = pixels.tobytes()
    found["PixelData"].VR = "OB" if allocated == 8 else "OW"
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found


def save(path: Path, pixels: NDArray[Any], **elements: Any) -> Path:
    """Write a constructed file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset_of(pixels, **elements).save_as(path, enforce_file_format=True)
    return path


def encoded(dataset: FileDataset) -> bytes:
    """The bytes of a data set's file."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def table(values: NDArray[np.uint16], *, first: int, bits: int) -> Dataset:
    """An item of a modality or VOI LUT sequence."""
    item = Dataset()
    item.add_new(0x00283002, "US", [len(values), first, bits])
    item.add_new(0x00283006, "US", [int(value) for value in values])
    return item


def bytes_table(data: bytes, *, entries: int, bits: int) -> Dataset:
    """The same, its entries as bytes, as all files of implicit VR have them."""
    item = Dataset()
    item.add_new(0x00283002, "US", [entries, 0, bits])
    item.add_new(0x00283006, "OW", data)
    return item
