"""DICOM SEG, read back with highdicom and pydicom; the affine against nibabel's own conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    SegmentationStorage,
    generate_uid,
)

from medistill.core.errors import DataError
from medistill.serve.command import predict_command
from medistill.serve.mask_dicom import Origin, affine_of, read_header, write_seg
from tests.unit.imaging.dicom_files import dataset_of
from tests.unit.serve.segmenting import segmenting_bundle
from tests.unit.serve.test_mask_files import drawn, rows

ORIGIN = Origin(classes=("background", "lesion", "organ"), name="by-hand", identity="a" * 64)


def source(path: Path, **changes: Any) -> Path:
    """A CT slice of 32 x 48 pixels with all that a SEG repeats of it."""
    given: dict[str, Any] = {
        "Modality": "CT",
        "PatientID": "p1",
        "PatientName": "DOE^JANE",
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
        "PositionReferenceIndicator": "",
        "StudyID": "1",
        "StudyDate": "20260102",
        "StudyTime": "101112",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "ImagePositionPatient": [-10.0, -20.0, 30.0],
        "PixelSpacing": [0.5, 0.25],
        "SliceThickness": 2.0,
        "SOPClassUID": CTImageStorage,
    }
    dataset = dataset_of(drawn((32, 48)), **{**given, **changes})
    for name, value in changes.items():
        if value is None:
            delattr(dataset, name)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def radiograph(path: Path) -> Path:
    """A picture without a frame of reference."""
    nothing = dict.fromkeys(
        (
            "FrameOfReferenceUID",
            "PositionReferenceIndicator",
            "ImageOrientationPatient",
            "ImagePositionPatient",
            "SliceThickness",
        )
    )
    return source(
        path, Modality="DX", SOPClassUID=DigitalXRayImageStorageForPresentation, **nothing
    )


def three_classes() -> np.ndarray:
    mask = np.zeros((32, 48), np.uint8)
    mask[2:9, 3:20], mask[20:30, 30:40] = 1, 2
    return mask


@pytest.mark.parametrize("make", [source, radiograph])
def test_what_is_read_back_is_the_mask_and_refers_to_its_picture(tmp_path: Path, make: Any) -> None:
    path = make(tmp_path / "a.dcm")
    write_seg(tmp_path / "seg.dcm", three_classes(), path, ORIGIN)
    picture, found = dcmread(path), highdicom.seg.segread(tmp_path / "seg.dcm")
    assert found.SOPClassUID == SegmentationStorage
    assert (found.StudyInstanceUID, found.PatientID) == (picture.StudyInstanceUID, "p1")
    assert found.SeriesInstanceUID != picture.SeriesInstanceUID
    assert list(found.segment_numbers) == [1, 2]
    assert [s.SegmentLabel for s in found.SegmentSequence] == ["lesion", "organ"]
    whole = found.get_pixels_by_source_instance([picture.SOPInstanceUID], combine_segments=True)
    np.testing.assert_array_equal(whole[0], three_classes())
    (series,) = found.ReferencedSeriesSequence
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == picture.SOPInstanceUID
    assert found.get("FrameOfReferenceUID") == picture.get("FrameOfReferenceUID")


def test_an_empty_mask_is_a_seg_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = source(tmp_path / "a.dcm")
    write_seg(tmp_path / "seg.dcm", np.zeros((32, 48), np.uint8), path, ORIGIN)
    found = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert not found.pixel_array.any()
    assert not caplog.records  # a console that shows logs stays quiet


def test_the_same_mask_gets_the_same_identifiers_and_another_one_others(tmp_path: Path) -> None:
    path, uids = source(tmp_path / "a.dcm"), []
    for mask in (three_classes(), three_classes(), np.zeros((32, 48), np.uint8)):
        write_seg(tmp_path / "seg.dcm", mask, path, ORIGIN)
        uids.append(str(dcmread(tmp_path / "seg.dcm").SOPInstanceUID))
    assert uids[0] == uids[1] != uids[2]


def test_predict_writes_seg_and_lists_what_has_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "masks").mkdir()
    source(tmp_path / "in" / "IM0001")  # named as scanners do, without an ending
    from PIL import Image

    Image.fromarray(drawn((8, 8))).save(tmp_path / "in" / "x.png")
    source(tmp_path / "in" / "z", StudyInstanceUID=None)
    out, bundle = tmp_path / "o.csv", segmenting_bundle(tmp_path / "b")
    done = predict_command(
        bundle, [tmp_path / "in"], out, masks=tmp_path / "masks", mask_form="seg"
    )
    assert done == 0
    good, png, poor = rows(out)
    found = highdicom.seg.segread(tmp_path / "masks" / good["mask"])
    # The one pixel at the corner may fall to either side when the square is brought back.
    assert (found.pixel_array.squeeze() != (drawn((32, 48)) > 0)).sum() <= 1
    assert "is not DICOM, so no DICOM SEG can refer to it" in png["problem"]
    assert "StudyInstanceUID" in poor["problem"]


def test_a_picture_that_is_no_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="is not DICOM"):
        write_seg(tmp_path / "s.dcm", three_classes(), tmp_path / "a.png", ORIGIN)


def test_the_affine_by_hand(tmp_path: Path) -> None:
    # Columns run to the patient's left, rows to the back: both negative in RAS+.
    found = affine_of(read_header(source(tmp_path / "a.dcm")))
    np.testing.assert_allclose(
        found, [[-0.25, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1]]
    )
    assert affine_of(read_header(radiograph(tmp_path / "b.dcm"))) is None
