"""Tables with a column of masks: pictures, volumes, and what is no column of masks."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.layouts import read_data, refuse_unused_plane
from medistill.data.table import read_table
from medistill.data.table_file import load_table
from medistill.data.table_masks import names_masks, read_mask_table
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _mask(path: Path, *values: int, size: tuple[int, int] = (24, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[0, : len(values)] = values
    Image.fromarray(pixels).save(path)


def _pair(folder: Path, name: str, *values: int) -> None:
    save_noise(folder / "scans" / f"{name}.png", len(name) + ord(name[0]))
    _mask(folder / "drawn" / f"{name}-by-hand.png", *values)


def test_masks_are_read_beside_their_images(tmp_path: Path) -> None:
    for name, values in (("b", (1, 2)), ("a", (2,)), ("c", ())):
        _pair(tmp_path, name, *values)
    rows = [
        f"scans/{n}.png,drawn/{n}-by-hand.png,p{n},{s},F"
        for n, s in (("b", "train"), ("a", ""), ("c", "test"))
    ]
    images = read_data(_write(tmp_path, "path,Mask,patient,split,sex", *rows), cache=tmp_path)
    assert (images.name, images.task, images.group_word) == ("table", "segmentation", "patient")
    assert images.classes == ("background", "class-1", "class-2")
    assert [(s.name, s.label, s.group, s.split) for s in images.samples] == [
        ("scans/a.png", (1.0, 0.0, 1.0), "pa", None),
        ("scans/b.png", (1.0, 1.0, 1.0), "pb", "train"),
        ("scans/c.png", (1.0, 0.0, 0.0), "pc", "test"),
    ]
    assert images.samples[0].mask == tmp_path / "drawn" / "a-by-hand.png"
    assert [dict(s.attributes) for s in images.samples] == [{"sex": "F"}] * 3
    assert not any(s.guessed for s in images.samples)


def test_copies_share_a_group_that_is_a_guess(tmp_path: Path) -> None:
    _pair(tmp_path, "a", 255)
    (tmp_path / "scans" / "b.png").write_bytes((tmp_path / "scans" / "a.png").read_bytes())
    row = "drawn/a-by-hand.png"
    images = read_table(_write(tmp_path, "path,mask", f"scans/b.png,{row}", f"scans/a.png,{row}"))
    assert [s.group for s in images.samples] == ["scans/a.png", "scans/a.png"]
    assert all(s.guessed for s in images.samples)
    assert "No patient ids" in images.caveats[0]


def test_every_slice_of_a_volume_is_a_sample(tmp_path: Path) -> None:
    for number in range(2):
        shape = (4, 5, 3)
        volume = np.random.default_rng(number).integers(0, 99, shape).astype(np.int16)
        labels = np.zeros(shape, np.uint8)
        labels[:, :, number] = 1
        for word, values in (("ct", volume), ("seg", labels)):
            nibabel.save(
                nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"{word}{number}.nii.gz"
            )
    path = _write(
        tmp_path, "path,mask,group", "ct1.nii.gz,seg1.nii.gz,x", "ct0.nii.gz,seg0.nii.gz,y"
    )
    images = read_data(path, cache=tmp_path)
    assert [(s.name, s.frame, s.group) for s in images.samples] == [
        (f"ct{v}.nii.gz#axial{n:05}", n, "yx"[v]) for v in range(2) for n in range(3)
    ]
    shown = [n for n, s in enumerate(images.samples) if s.label == (1.0, 1.0)]
    assert shown == [0, 4]
    cut = read_data(path, cache=tmp_path, plane="sagittal")
    refuse_unused_plane(cut, "sagittal")
    assert (len(cut.samples), cut.samples[0].plane) == (8, "sagittal")


def test_a_volume_without_a_group_is_a_group(tmp_path: Path) -> None:
    for word, values in (
        ("ct", np.zeros((4, 4, 2), np.int16)),
        ("seg", np.ones((4, 4, 2), np.uint8)),
    ):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"{word}.nii")
    images = read_table(_write(tmp_path, "path,mask", "ct.nii,seg.nii"))
    assert [(s.group, s.guessed) for s in images.samples] == [("ct.nii", False)] * 2


@pytest.mark.parametrize(
    ("lines", "masks"),
    [
        (("path,mask", "1.png,m.png"), True),
        (("path,mask,smoker", "1.png,m.png,1"), True),
        (("path,mask,label", "1.png,m.png,a", "2.png,m.png,b"), False),
        (("path,mask,labels", "1.png,m.png,a"), False),
        (("path,mask,glasses", "1.png,1,0", "2.png,,1"), False),
        (("path,mask,edema", "1.png,yes,0", "2.png,no,1"), False),
        (("path,mask,edema", "1.png,,0", r"2.png,.\m.png,1"), True),
        (("path,mask", "1.png,drawn"), True),
        (("path,edema", "1.png,1"), False),
    ],
)
def test_which_column_is_one_of_masks(tmp_path: Path, lines: tuple[str, ...], masks: bool) -> None:
    (tmp_path / "drawn").touch()
    assert names_masks(load_table(_write(tmp_path, *lines))) == masks


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    _pair(tmp_path, "a", 1)
    _mask(tmp_path / "turned.png", 1, size=(16, 24))
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 2), np.uint8), np.eye(4)), tmp_path / "m.nii")
    for cell, message in (
        ("gone.png", r"gone\.png: cannot be opened \(No such file"),
        ("turned.png", r"turned\.png: is 16 x 24 pixels, its image a\.png 24 x 16"),
        ("m.nii", r"m\.nii: this mask is a volume, and its image a\.png is none"),
        ("", "column 'mask' is empty in row 1"),
    ):
        rows = (f"scans/a.png,{cell}", "b.png,drawn/a-by-hand.png")
        table = load_table(_write(tmp_path, "path,mask", *rows))
        with pytest.raises(DataError, match=message):
            read_mask_table(table)


def test_patients_of_dicom_images_are_groups(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.dcm", np.full((16, 24), number, np.uint8), PatientID="p1")
        _mask(tmp_path / f"{number}.png", 255)
    images = read_table(_write(tmp_path, "path,mask", "0.dcm,0.png", "1.dcm,1.png"))
    assert [s.group for s in images.samples] == ["patient p1"] * 2
    assert not any(s.guessed for s in images.samples)


def test_a_frame_may_have_a_mask_and_a_slice_has_its_own(tmp_path: Path) -> None:
    cine = np.zeros((32, 24), np.uint8)
    save(tmp_path / "cine.dcm", cine, Rows=16, Columns=24, NumberOfFrames="2", PatientID="p1")
    for number in range(2):
        _mask(tmp_path / f"{number}.png", *[255] * number)
    rows = ("cine.dcm,1,1.png", "cine.dcm,0,0.png")
    images = read_table(_write(tmp_path, "path,frame,mask", *rows))
    assert [(s.name, s.frame, s.label, s.mask) for s in images.samples] == [
        ("cine.dcm#frame00000", 0, (1.0, 0.0), tmp_path / "0.png"),
        ("cine.dcm#frame00001", 1, (1.0, 1.0), tmp_path / "1.png"),
    ]
    for word in ("ct", "seg"):
        volume = nibabel.Nifti1Image(np.zeros((4, 5, 3), np.uint8), np.eye(4))
        nibabel.save(volume, tmp_path / f"{word}.nii")
    path = _write(tmp_path, "path,frame,mask", "ct.nii,1,seg.nii")
    with pytest.raises(DataError, match="row 1 names slice 1 of ct.nii.*every slice is an image"):
        read_table(path)


def test_image_and_mask_are_columns_enough(tmp_path: Path) -> None:
    for name in "ab":
        _pair(tmp_path, name, 255)
    rows = [f"scans/{name}.png,drawn/{name}-by-hand.png" for name in "ab"]
    images = read_table(_write(tmp_path, "image,mask", *rows))
    assert [s.name for s in images.samples] == ["scans/a.png", "scans/b.png"]
    assert all(not s.attributes for s in images.samples)
