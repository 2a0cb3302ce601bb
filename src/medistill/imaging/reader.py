"""Reads one image file of any kind that medistill knows. Torch-free.

Training, export, prediction and serving all read through here: PNG, JPEG, TIFF and BMP
(``imaging.raster``), DICOM (``imaging.dicom``) and NIfTI (``imaging.nifti``). What a file is, its
first bytes say, never its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from medistill.core.types import Plane
from medistill.imaging.nifti import decode_nifti
from medistill.imaging.picture import MAX_ASPECT, MAX_PIXELS, Picture, refusal
from medistill.imaging.raster import decode_raster
from medistill.imaging.sniff import HEAD_BYTES, is_dicom, is_nifti, is_raster
from medistill.imaging.window import Window, parse_window

# A small file is read in one go, whatever the pieces that its decoder asks for.
_BUFFER = 2**16

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "Picture",
    "decode_image",
    "is_image_name",
    "read_image",
]

#: Endings that the layouts look for, lower case; ``.nii.gz`` too (:func:`is_image_name`).
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".nii"}
)


def is_image_name(name: str) -> bool:
    """Whether a file name has an image's ending and is not hidden."""
    plain = name.lower().removesuffix(".gz") if name.lower().endswith(".nii.gz") else name.lower()
    return not name.startswith(".") and Path(plain).suffix in IMAGE_SUFFIXES


def read_image(
    path: Path | str,
    *,
    window: str | Window | None = None,
    frame: int | None = None,
    plane: Plane = "axial",
) -> Picture:
    """Read a PNG, JPEG, TIFF, BMP, DICOM or NIfTI file.

    Args:
        path: the image file.
        window: gray scale of CT: ``lung``, ``mediastinum``, ``bone``, ``centre/width`` in
            Hounsfield units, or a value; None takes what the file declares. Files without physical
            units ignore it.
        frame: which frame of a multi-frame DICOM file, or which slice of a volume, from 0. None
            reads single pictures alone.
        plane: along which plane a volume is cut: ``axial``, ``coronal`` or ``sagittal``.

    Returns:
        Pixels in [0, 1], and what was done to them.

    Raises:
        DataError: the file is missing, not an image, truncated, of several frames, or too large.
        RecipeError: the window is not known.
    """
    try:
        stream = open(path, "rb", buffering=_BUFFER)  # noqa: PTH123, SIM115 - a tenth of the time
    except FileNotFoundError:
        raise refusal(path, "there is no such file") from None
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})") from error
    with stream:
        return decode_image(stream, where=path, window=window, frame=frame, plane=plane)


def decode_image(
    stream: BinaryIO,
    *,
    where: object,
    window: str | Window | None = None,
    frame: int | None = None,
    plane: Plane = "axial",
) -> Picture:
    """Decode an open binary stream as :func:`read_image` does.

    Args:
        stream: the encoded image, positioned at its start; it can be rewound.
        where: how errors name it.
        window: as :func:`read_image`.
        frame: as :func:`read_image`.
        plane: as :func:`read_image`.

    Raises:
        DataError: as :func:`read_image`.
        RecipeError: as :func:`read_image`.
    """
    seen = parse_window(window)
    try:
        start = stream.tell()
        head = stream.read(HEAD_BYTES)
        stream.seek(start)
    except OSError as error:
        raise refusal(where, f"cannot be read ({error.strerror})") from error
    if not head:
        raise refusal(where, "is empty")
    if is_raster(head):
        return decode_raster(stream, where=where)
    if is_dicom(head):
        # Here, since pydicom takes longer to load than most sets without DICOM take to be read.
        from medistill.imaging.dicom import decode_dicom

        return decode_dicom(stream, where=where, window=seen, frame=frame)
    if is_nifti(head):
        return decode_nifti(stream, where=where, window=seen, frame=frame, plane=plane)
    return decode_raster(stream, where=where)
