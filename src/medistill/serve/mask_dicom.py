"""Masks of DICOM pictures: as DICOM SEG, and the affine for NIfTI. Torch-free."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill import __version__
from medistill.bundle.notice import NOTICE
from medistill.core.errors import MissingExtraError
from medistill.core.files import write_bytes
from medistill.imaging.dicom import named_faults
from medistill.imaging.picture import refusal
from medistill.imaging.sniff import HEAD_BYTES, is_dicom

# Codes of one's own have a scheme that begins with 99 (PS3.16, 8.2).
_SCHEME = "99MEDISTILL"
_SHORT, _LONG = 16, 64
_SERIES = 9000
_GEOMETRY = (
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a DICOM SEG says of the student.

    Attributes:
        classes: names in the order of the class numbers; the first is background.
        name: of the bundle.
        identity: SHA-256 that names the bundle.
    """

    classes: Sequence[str]
    name: str
    identity: str


def check_seg() -> None:
    """Refuse before the work where highdicom is missing.

    Raises:
        MissingExtraError: the extra ``seg`` is not installed.
    """
    if find_spec("highdicom") is None:
        raise MissingExtraError(command="medistill predict --mask-form seg", extra="seg")


def write_seg(path: Path, mask: NDArray[np.uint8], source: Path, origin: Origin) -> None:
    """Write a mask as DICOM Segmentation (PS3.3, A.51) that refers to its picture.

    One binary segment a class but the first, in the study of the picture and, where its position
    is complete, in its frame of reference.
    The same mask of the same picture by the same bundle always gets the same identifiers.

    Args:
        path: to write.
        mask: (H, W) class numbers in the picture's geometry.
        source: the DICOM file of one frame.
        origin: what is said of the student.

    Raises:
        DataError: the picture is not DICOM, or lacks what a SEG must repeat of it.
    """
    with named_faults(source):
        dataset = read_header(source)
        if dataset is None:
            cure = "Use --mask-form png or nifti."
            raise refusal(source, "is not DICOM, so no DICOM SEG can refer to it", cure)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            segmentation = _segmentation(mask, dataset, origin)
        stream = io.BytesIO()
        segmentation.save_as(stream, enforce_file_format=True)
    write_bytes(path, stream.getvalue())


def read_header(path: Path) -> Any:
    """All but the pixels of a DICOM file; None for any other file."""
    from pydicom import dcmread

    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        return dcmread(stream, stop_before_pixels=True, force=True) if is_dicom(head) else None


def affine_of(dataset: Any) -> NDArray[np.float64] | None:
    """From (column, row, slice) of a DICOM picture to millimetres in RAS+ (PS3.3, C.7.6.2.1.1).

    Returns:
        (4, 4); None where the header gives no position, orientation or spacing.
    """
    position, cosines = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    spacing = dataset.get("PixelSpacing")
    if not position or not cosines or not spacing:
        return None
    across, down = np.array(cosines[:3], float), np.array(cosines[3:], float)
    affine = np.eye(4)
    # Spacing gives the distance of rows first.
    affine[:3, 0], affine[:3, 1] = across * float(spacing[1]), down * float(spacing[0])
    affine[:3, 2] = np.cross(across, down) * float(dataset.get("SliceThickness") or 1.0)
    affine[:3, 3] = np.array(position, float)
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _segmentation(mask: NDArray[np.uint8], dataset: Any, origin: Origin) -> Any:
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom.uid import generate_uid

    if not all(dataset.get(keyword) for keyword in _GEOMETRY):
        # A half-known position would be written, and refused by readers: pixel for pixel, then.
        for keyword in _GEOMETRY:
            if keyword in dataset:
                delattr(dataset, keyword)
    said = [str(dataset.SOPInstanceUID), origin.identity, mask.tobytes().hex()]
    return Segmentation(
        source_images=[dataset],
        pixel_array=mask[None],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=_segments(origin),
        series_instance_uid=generate_uid(entropy_srcs=[*said, "series"]),
        series_number=_SERIES,
        sop_instance_uid=generate_uid(entropy_srcs=said),
        instance_number=1,
        manufacturer="medistill",
        manufacturer_model_name=origin.name[:_LONG],
        software_versions=__version__,
        device_serial_number=origin.identity[:_LONG],
        # Frames without any pixel are left out, but a SEG of none at all may not be.
        omit_empty_frames=bool(mask.any()),
        content_label="SEGMENTATION",
        content_description=NOTICE[:_LONG],
        series_description=f"{origin.name[:40]}: research use"[:_LONG],
    )


def _segments(origin: Origin) -> list[Any]:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    algorithm = AlgorithmIdentificationSequence(
        name=origin.name[:_LONG], version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=name[:_LONG],
            # A student's classes are whatever its data called them: no standard code is claimed.
            segmented_property_category=codes.SCT.SpatialAndRelationalConcept,
            segmented_property_type=CodedConcept(
                value=f"class-{number}"[:_SHORT], scheme_designator=_SCHEME, meaning=name[:_LONG]
            ),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, name in enumerate(origin.classes)
        if number
    ]
