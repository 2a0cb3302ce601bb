"""CT whose gray a test works out itself: as DICOM with a window of its own, and as a volume."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from tests.unit.imaging.dicom_files import save

SIDE, DEPTH = 32, 3
#: A ball of tissue in air, in Hounsfield units; the same however it is turned or mirrored.
HU = np.sum((np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) ** 2, axis=0).astype(np.int16) * 3 - 1000


def slice_of(number: int) -> NDArray[np.int16]:
    """Hounsfield units of a slice of :func:`save_volume`."""
    return np.asarray(HU + 100 * number, dtype=np.int16)


def lung(hu: NDArray[np.int16]) -> NDArray[np.uint16]:
    """The lung window (-600/1500) of DICOM PS3.3, C.11.2.1.2.1, in 16 bits."""
    shown = np.clip((hu.astype(np.float64) + 600.5) / 1499 + 0.5, 0, 1)
    return np.rint(shown * 65535).astype(np.uint16)


def save_ct(path: Path) -> Path:
    """DICOM whose own window is that of the mediastinum."""
    elements = {"Modality": "CT", "WindowCenter": 40, "WindowWidth": 400}
    return save(path, HU, RescaleSlope=1, RescaleIntercept=0, **elements)


def save_volume(path: Path) -> Path:
    """Three slices, which declare no gray scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.stack([slice_of(number) for number in range(DEPTH)], axis=-1)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path
