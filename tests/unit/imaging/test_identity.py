"""Identifiers are read without pixels, and only from DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.imaging.identity import Identity, read_identity
from tests.unit.imaging.dicom_files import save

PIXELS = np.zeros((4, 4), dtype=np.uint8)


def test_identifiers_are_read(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a",
        PIXELS,
        PatientID="7 ",
        IssuerOfPatientID="here",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.2.3",
        ImageLaterality="L",
        ViewPosition="PA",
        Manufacturer="Maker",
        ManufacturerModelName="X",
    )
    assert read_identity(path) == Identity(
        patient="7",
        issuer="here",
        study="1.2",
        series="1.2.3",
        laterality="L",
        view="PA",
        modality="CR",
        device="Maker X",
    )


def test_other_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert read_identity(tmp_path / "a.txt") is None
    with pytest.raises(DataError, match="cannot be opened"):
        read_identity(tmp_path / "absent")
