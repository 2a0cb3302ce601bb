"""Groups of DICOM files: patient, else study, else the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medistill.data.dicom_groups import attributes_of, group_of, identities, study_of
from medistill.imaging.identity import Identity
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def test_only_dicom_files_have_an_identity(tmp_path: Path) -> None:
    save(tmp_path / "a.dcm", np.zeros((4, 4), dtype=np.uint8), PatientID="7")
    save_noise(tmp_path / "b.png", 0)
    names = ("a.dcm", "b.png", "absent")
    found = identities({name: tmp_path / name for name in names})
    assert {name: held.patient for name, held in found.items()} == {"a.dcm": "7"}


def test_group() -> None:
    assert group_of(Identity(patient="7", study="1.2"), "a") == "patient 7"
    assert group_of(Identity(study="1.2"), "a") == "study 1.2"
    assert group_of(Identity(), "a") == group_of(None, "a") == "a"


def test_attributes_name_no_person_and_the_study_is_apart() -> None:
    identity = Identity(patient="7", study="1.2", series="3", device="A B", view="PA")
    assert attributes_of(identity) == {"device": "A B", "view": "PA"}
    assert (attributes_of(None), study_of(identity), study_of(None)) == ({}, "1.2", "")
