"""DICOM files of the benchmark, and their plain decoding, with nothing but pydicom.

Apart, since what a process imports counts where files of other kinds are read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.pixels.processing import apply_rescale, apply_windowing
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid


def decode(path: Path) -> int:
    """Decode a file's stored pixels; its rows."""
    return int(dcmread(path).pixel_array.shape[0])


def decode_shown(path: Path) -> int:
    """Decode a file to the 8-bit gray of its window; its rows."""
    dataset = dcmread(path)
    shown = apply_windowing(apply_rescale(dataset.pixel_array, dataset), dataset)
    low, high = shown.min(), shown.max()
    return int(((shown - low) * (255 / max(high - low, 1))).astype(np.uint8).shape[0])


def save(path: Path, values: NDArray[np.uint16], *, packed: bool) -> None:
    """Save values of shape (H, W) as a CT slice; ``packed`` as JPEG 2000 without loss."""
    made = _dataset(values)
    if packed:
        made.compress(JPEG2000Lossless)
    made.save_as(path, enforce_file_format=True)


def _dataset(values: NDArray[np.uint16]) -> Dataset:
    """A CT slice of 12 bits in 16, with a slope, an intercept and a window."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.Modality, made.PatientID, made.StudyInstanceUID = "CT", "generated", generate_uid()
    made.Rows, made.Columns = values.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.WindowCenter, made.WindowWidth = 40, 400
    made.PixelData = values.astype("<u2").tobytes()
    return made
