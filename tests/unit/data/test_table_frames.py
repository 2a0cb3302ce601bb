"""A column of frames: what its cells mean, which are refused, and what comes out of the files."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.core.files import sha256_file
from medistill.data import dicom_groups, duplicates
from medistill.data.dicom_tree import read_dicom_tree
from medistill.data.layouts import read_data, refuse_unused_plane
from medistill.data.reading import Place
from medistill.data.table import read_table
from medistill.data.table_file import load_table
from medistill.data.table_frames import check_frames, framed, frames_of, plane_of
from medistill.imaging.identity import Identity, read_identity
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save

#: Three frames of two gray levels each: frame k is 40 k and 40 k + 20.
FRAMES = np.stack([np.tile(np.uint8([[40 * k, 40 * k + 20]]), (4, 2)) for k in range(3)])


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _cine(path: Path, patient: str = "p1") -> Path:
    rows = {"Rows": 4, "Columns": 4, "NumberOfFrames": "3"}
    window = {"WindowCenter": "128", "WindowWidth": "256"}
    return save(path, FRAMES.reshape(12, 4), PatientID=patient, **rows, **window)


def _volume(path: Path) -> None:
    """Slice k along each axis is told by its values: 100 i + 10 j + k."""
    i, j, k = np.indices((2, 3, 4))
    values = (100 * i + 10 * j + k).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)


def test_each_frame_that_is_named_is_an_image_of_its_file(tmp_path: Path) -> None:
    _cine(tmp_path / "cine.dcm")
    save(tmp_path / "still.dcm", FRAMES[0], PatientID="p2")
    rows = ("cine.dcm,2,ill", "still.dcm,,well", "cine.dcm,0.0,well")
    images = read_table(_write(tmp_path, "path,frame,label", *rows))
    assert [(s.name, s.frame, s.label, s.group) for s in images.samples] == [
        ("cine.dcm#frame00000", 0, 1, "patient p1"),
        ("cine.dcm#frame00002", 2, 0, "patient p1"),
        ("still.dcm", None, 1, "patient p2"),
    ]
    assert all("frame" not in s.attributes for s in images.samples)
    seen = [Place.of(sample).read(None).pixels for sample in images.samples[:2]]
    # A window of 256 around 128 shows a value v as v / 255 (PS3.3, C.11.2.1.2).
    np.testing.assert_allclose(seen[0], FRAMES[0] / 255, atol=1e-4)
    np.testing.assert_allclose(seen[1], FRAMES[2] / 255, atol=1e-4)


def test_frames_are_chosen_in_a_tree_of_dicom(tmp_path: Path) -> None:
    _cine(tmp_path / "a" / "cine.dcm")
    save(tmp_path / "b" / "still.dcm", FRAMES[0], PatientID="p2")
    for key, folders in (("file", ("", "")), ("path", ("a/", "b/"))):
        a, b = folders
        rows = (f"{a}cine.dcm,2,ill,F", f"{b}still.dcm,,well,M", f"{a}cine.dcm,1,well,F")
        table = "\n".join([f"{key},frame,label,sex", *rows])
        (tmp_path / "labels.csv").write_text(table)
        images = read_dicom_tree(tmp_path)
        assert [(s.name, s.frame, s.label, s.group) for s in images.samples] == [
            ("a/cine.dcm#frame00001", 1, 1, "patient p1"),
            ("a/cine.dcm#frame00002", 2, 0, "patient p1"),
            ("b/still.dcm", None, 1, "patient p2"),
        ]
        assert images.samples[0].attributes == {"sex": "F"}
        assert Place.of(images.samples[1]).read(None).history[0].count("frame 2 of 3") == 1


def test_slices_of_a_volume_are_chosen_along_the_plane(tmp_path: Path) -> None:
    _volume(tmp_path / "ct.nii.gz")
    path = _write(tmp_path, "path,frame,label", "ct.nii.gz,1,a", "ct.nii.gz,2,b")
    images = read_data(path, cache=tmp_path, plane="coronal")
    refuse_unused_plane(images, "coronal")
    assert [s.name for s in images.samples] == ["ct.nii.gz#coronal00001", "ct.nii.gz#coronal00002"]
    assert len({s.group for s in images.samples}) == 1
    # Axes i (to the right) and k (to the head), as a screen shows them: both backwards.
    i, k = np.meshgrid(np.arange(2)[::-1], np.arange(4)[::-1])
    shown = Place.of(images.samples[0]).read("100.5/201").pixels
    np.testing.assert_allclose(shown, (100 * i + 10 + k) / 200, atol=1e-4)
    with pytest.raises(DataError, match="row 2 names slice 2 of ct.nii.gz, which holds 2 slices"):
        read_data(path, cache=tmp_path, plane="sagittal")
    _cine(tmp_path / "cine.dcm")
    flat = read_table(_write(tmp_path, "path,frame,label", "cine.dcm,1,a", "cine.dcm,2,b"))
    with pytest.raises(DataError, match="could be cut along 'coronal'"):
        refuse_unused_plane(flat, "coronal")


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("first", r"row 1 has 'first' in its column 'frame'\. Write the number of a frame, 0 for"),
        ("-1", "row 1 has '-1'"),
        ("1.5", "row 1 has '1.5'"),
        ("9" * 5000, "row 1 has '9999"),
        ("3", r"row 1 names frame 3 of cine.dcm, which holds 3 frames\. Name one from 0 to 2"),
    ],
)
def test_bad_cells_are_refused(tmp_path: Path, cell: str, words: str) -> None:
    _cine(tmp_path / "cine.dcm")
    save_noise(tmp_path / "b.png", 0)
    lines = (f"cine.dcm,{cell},a", "b.png,,b")
    with pytest.raises(DataError, match=words):
        read_table(_write(tmp_path, "path,frame,label", *lines))


def test_single_pictures_have_no_frames(tmp_path: Path) -> None:
    save_noise(tmp_path / "a.png", 0)
    path = _write(tmp_path, "path,frame,label", "a.png,0,a", "b.png,,b")
    with pytest.raises(DataError, match=r"frame 0 of a.png, which is a single picture\. Leave the"):
        read_table(path)
    save(tmp_path / "c.dcm", FRAMES[0])
    path = _write(tmp_path, "path,frame,label", "c.dcm,1,a", "b.png,,b")
    with pytest.raises(DataError, match=r"frame 1 of c.dcm, which holds 1 frame\. Leave the cell"):
        read_table(path)


def test_a_frame_twice_and_a_file_of_two_patients_are_refused(tmp_path: Path) -> None:
    _cine(tmp_path / "cine.dcm")
    path = _write(tmp_path, "path,frame,label", "cine.dcm,1,a", "cine.dcm,1.0,b")
    with pytest.raises(DataError, match="lists 1 image more than once, for example cine.dcm#fr"):
        read_table(path)
    path = _write(tmp_path, "path,frame,label,patient", "cine.dcm,1,a,x", "cine.dcm,2,b,y")
    with pytest.raises(DataError, match="rows 1 and 2 contradict each other about 'cine.dcm'"):
        read_table(path)


def test_a_frame_of_a_patient_is_refused(tmp_path: Path) -> None:
    _cine(tmp_path / "cine.dcm")
    _cine(tmp_path / "other.dcm", "p2")
    (tmp_path / "labels.csv").write_text("patient,frame,label\np1,,a\np2,1,b\n")
    with pytest.raises(DataError, match="row 2 names a frame of a patient.*column path or file"):
        read_dicom_tree(tmp_path)
    (tmp_path / "labels.csv").write_text("file,frame,label\ncine.dcm,0,a\nother.dcm,3,b\n")
    with pytest.raises(DataError, match="row 2 names frame 3 of other.dcm, which holds 3 frames"):
        read_dicom_tree(tmp_path)


def test_what_is_missing_or_damaged_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "cut.dcm").write_bytes(_cine(tmp_path / "cine.dcm").read_bytes()[:140])
    (tmp_path / "cut.nii").write_bytes(b"\0" * 20)
    path = _write(tmp_path, "path,frame,label", "gone.dcm,7,a", "cut.dcm,7,b", "cut.nii,7,b")
    table = load_table(path)
    files = [tmp_path / row["path"] for row in table.rows]
    odd = Identity(frames="many")
    check_frames(table, frames_of(table), files, [None, odd, None])
    assert frames_of(table) == (7, 7, 7)


def test_names_tell_the_frame(tmp_path: Path) -> None:
    assert framed("a.dcm", None) == "a.dcm"
    assert framed("a.dcm", 3, "coronal") == "a.dcm#frame00003"
    assert framed("a.nii", 3, "coronal") == "a.nii#coronal00003"
    assert plane_of(Path("a.dcm"), 3, "coronal") == "axial"
    assert plane_of(Path("a.nii"), 3, "coronal") == "coronal"
    assert plane_of(Path("a.nii"), None, "coronal") == "axial"


def test_a_file_of_many_frames_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def counting(path: Path) -> Identity | None:
        looked.append(path)
        return read_identity(path)

    def hashing(path: Path) -> str:
        looked.append(path)
        return sha256_file(path)

    monkeypatch.setattr(dicom_groups, "read_identity", counting)
    monkeypatch.setattr(duplicates, "sha256_file", hashing)
    path = _cine(tmp_path / "cine.dcm")
    read_table(_write(tmp_path, "path,frame,label", *(f"cine.dcm,{k},{k}" for k in range(3))))
    assert looked == [path]  # its header; it names a patient, so that its bytes are not compared
