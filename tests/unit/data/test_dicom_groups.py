"""Groups of DICOM files: patient, else study, else the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from medistill.data import dicom_groups
from medistill.data.dicom_groups import (
    attributes_of,
    groups_of,
    groups_of_files,
    identities,
    shared_ids,
    study_of,
)
from medistill.imaging.identity import Identity
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def test_only_dicom_files_have_an_identity(tmp_path: Path) -> None:
    save(tmp_path / "a.dcm", np.zeros((4, 4), dtype=np.uint8), PatientID="7")
    save_noise(tmp_path / "b.png", 0)
    names = ("a.dcm", "b.png", "absent")
    found = identities({name: tmp_path / name for name in names})
    assert {name: held.patient for name, held in found.items()} == {"a.dcm": "7"}


def test_many_files_are_read_by_processes_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.dcm", np.zeros((4, 4), np.uint8), PatientID=f"p{number}")
    save_noise(tmp_path / "b.png", 0)
    paths = {path.name: path for path in sorted(tmp_path.iterdir())}
    paths["absent.dcm"] = tmp_path / "absent.dcm"
    told: list[tuple[int, int]] = []
    one = identities(paths, progress=lambda done, total: told.append((done, total)))
    assert told == []  # few files need no bar
    monkeypatch.setattr(dicom_groups, "_FEW", 4)
    monkeypatch.setattr(dicom_groups, "MOST_AT_ONCE", 2)
    two = identities(paths, workers=2, progress=lambda done, total: told.append((done, total)))
    assert two == one
    assert [(name, held.patient) for name, held in two.items()] == [
        (f"{number}.dcm", f"p{number}") for number in range(3)
    ]
    assert told == [(2, 5), (4, 5), (5, 5)]


def _groups(*found: Identity) -> list[str]:
    """Groups of files that hold these identifiers, in order."""
    known = {str(number): identity for number, identity in enumerate(found)}
    return list(groups_of(known, {name: f"file {name}" for name in known}).values())


def test_group_is_the_patient_else_the_study_else_what_is_given() -> None:
    found = _groups(Identity(patient="7", study="1.2"), Identity(study="1.2"), Identity())
    assert found == ["patient 7", "study 1.2", "file 2"]
    assert groups_of({}, {"a.png": "same bytes"}) == {"a.png": "same bytes"}


def test_one_patient_is_one_group_whether_or_not_a_file_names_the_issuer() -> None:
    found = _groups(Identity(patient="7", issuer="here"), Identity(patient="7"))
    assert found == ["patient 7", "patient 7"]


def test_files_without_a_patient_are_no_patient_of_their_issuer() -> None:
    found = _groups(Identity(issuer="here", study="1"), Identity(issuer="here"))
    assert found == ["study 1", "file 1"]


def test_two_issuers_of_one_id_are_two_patients() -> None:
    here, there = Identity(patient="7", issuer="here"), Identity(patient="7", issuer="there")
    assert _groups(here, there, here) == [
        "patient 7^^^here",
        "patient 7^^^there",
        "patient 7^^^here",
    ]
    assert shared_ids({"a": here, "b": there, "c": Identity(issuer="x")}) == {"7"}
    # A file that names no issuer may be of either: what is in doubt is not cut.
    assert _groups(here, there, Identity(patient="7")) == ["patient 7"] * 3
    assert shared_ids({"a": here, "b": Identity(patient="7")}) == set()


def test_attributes_name_no_person_and_the_study_is_apart() -> None:
    identity = Identity(patient="7", study="1.2", series="3", device="A B", view="PA")
    assert attributes_of(identity) == {"device": "A B", "view": "PA"}
    assert (attributes_of(None), study_of(identity), study_of(None)) == ({}, "1.2", "")


def test_files_say_their_groups_and_what_a_group_is(tmp_path: Path) -> None:
    save(tmp_path / "a.dcm", np.zeros((4, 4), np.uint8), PatientID="p1")
    for name in ("b.png", "c.png"):
        save_noise(tmp_path / name, 0)
    paths = {name: tmp_path / name for name in ("a.dcm", "c.png", "b.png")}
    found = groups_of_files(paths)
    assert found.groups == {"a.dcm": "patient p1", "b.png": "b.png", "c.png": "b.png"}
    assert (found.word, [*found.known]) == ("patient or study", ["a.dcm"])
    assert groups_of_files({"a.dcm": paths["a.dcm"]}).word == "patient"
    assert groups_of_files({"b.png": paths["b.png"]}).word == "image"


def test_files_that_name_their_patient_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(paths: Mapping[str, Path]) -> dict[str, str]:
        compared.extend(paths)
        return {name: "copies" for name in paths}

    monkeypatch.setattr(dicom_groups, "identical_files", compare)
    known = {"a": Identity(patient="p"), "b": Identity(study="s"), "c": Identity(device="d")}
    found = groups_of_files({name: tmp_path / name for name in ("a", "b", "c", "d")}, known)
    assert compared == ["c", "d"]
    assert found.groups == {"a": "patient p", "b": "study s", "c": "copies", "d": "copies"}
