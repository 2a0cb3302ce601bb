"""DICOM files that are no pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from medistill.data.dicom_objects import left_out, without_picture
from tests.unit.imaging.dicom_files import dataset_of


def _saved(path: Path, storage: str) -> Path:
    dataset = dataset_of(np.zeros((4, 4), dtype=np.uint8))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = storage
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("storage", "is_picture"),
    [
        (uid.CTImageStorage, True),
        (uid.DigitalXRayImageStorageForPresentation, True),
        (uid.SecondaryCaptureImageStorage, True),
        (uid.UltrasoundMultiFrameImageStorage, True),
        (uid.VLWholeSlideMicroscopyImageStorage, True),
        ("1.2.3.4.5", True),  # a maker's own class
        (uid.ComprehensiveSRStorage, False),
        (uid.GrayscaleSoftcopyPresentationStateStorage, False),
        (uid.KeyObjectSelectionDocumentStorage, False),
        (uid.EncapsulatedPDFStorage, False),
        (uid.RTStructureSetStorage, False),
        (uid.RTDoseStorage, False),
        (uid.RawDataStorage, False),
        (uid.MediaStorageDirectoryStorage, False),
    ],
)
def test_storage_classes(tmp_path: Path, storage: str, is_picture: bool) -> None:
    found = without_picture({"a": _saved(tmp_path / "a", storage)}, ["a"])
    assert found == (frozenset() if is_picture else {"a"})


def test_files_that_do_not_say_are_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x08\x00 and then nothing")
    (tmp_path / "b").write_bytes(b"\0" * 128 + b"DICM\xff")
    paths = {name: tmp_path / name for name in ("a", "b", "absent")}
    assert without_picture(paths, paths) == frozenset()


def test_what_is_left_out_is_said() -> None:
    assert left_out(()) == ()
    assert left_out({"b", "a"})[0].startswith("2 DICOM files hold no picture")
    assert left_out({"b", "a"})[0].endswith("for example a.")
