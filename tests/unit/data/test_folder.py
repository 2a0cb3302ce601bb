"""Class folders, with and without train, val and test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import ComprehensiveSRStorage

from medistill.core.errors import DataError
from medistill.data.folder import read_folder
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import dataset_of, encoded, save


def _save_all(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        save_noise(root / name, seed)
    return root


def test_class_folders_give_sorted_classes_and_samples(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/2.png", "healthy/b.PNG", "healthy/a.tif", "ill/deep/1 (%).png")
    images = read_folder(tmp_path)
    assert images.classes == ("healthy", "ill")
    assert [(s.name, s.label, s.split) for s in images.samples] == [
        ("healthy/a.tif", 0, None),
        ("healthy/b.PNG", 0, None),
        ("ill/2.png", 1, None),
        ("ill/deep/1 (%).png", 1, None),
    ]
    assert [sample.group for sample in images.samples] == [s.name for s in images.samples]
    assert (images.name, images.task, images.group_word) == ("folder", "single-label", "image")
    assert "No patient ids are known" in images.caveats[0]
    assert all(sample.path == tmp_path / sample.name for sample in images.samples)


@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "valid", "TEST")]
)
def test_split_folders_become_splits(tmp_path: Path, train: str, val: str, test: str) -> None:
    names = [f"{split}/{label}/1.png" for split in (train, val, test) for label in ("ill", "well")]
    images = read_folder(_save_all(tmp_path, *names))
    assert images.classes == ("ill", "well")
    found = {sample.name: sample.split for sample in images.samples}
    assert found == dict(zip(names, ["train", "train", "val", "val", "test", "test"], strict=True))


def test_a_class_called_test_is_a_class_where_there_is_no_train(tmp_path: Path) -> None:
    _save_all(tmp_path, "test/1.png", "control/1.png")
    assert read_folder(tmp_path).classes == ("control", "test")


def test_classes_that_are_called_like_splits_need_a_train_to_be_splits(tmp_path: Path) -> None:
    _save_all(tmp_path, "test/1.png", "validation/1.png")
    images = read_folder(tmp_path)
    assert images.classes == ("test", "validation")
    assert {sample.split for sample in images.samples} == {None}


def test_copies_of_a_file_share_a_group(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png", "well/3.png")
    (tmp_path / "well/copy.png").write_bytes((tmp_path / "ill/1.png").read_bytes())
    groups = {sample.name: sample.group for sample in read_folder(tmp_path).samples}
    assert groups["well/copy.png"] == groups["ill/1.png"] == "ill/1.png"
    assert groups["well/3.png"] == "well/3.png"


def test_unlabelled_folder_gives_images_without_a_label(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png", "unlabelled/3.png")
    images = read_folder(tmp_path)
    assert images.classes == ("ill", "well")
    assert [sample.label for sample in images.samples] == [0, None, 1]


def test_hidden_and_other_files_are_ignored(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png", ".trash/3.png", "__MACOSX/ill/4.png")
    _save_all(tmp_path, "ill/._1.png", "ill/.cache/5.png")
    (tmp_path / "ill/notes.txt").write_text("seen")
    (tmp_path / "README.md").write_text("about")
    assert [sample.name for sample in read_folder(tmp_path).samples] == ["ill/1.png", "well/2.png"]


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: there is no such folder"):
        read_folder(tmp_path / "absent")


def test_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a file, a folder is expected"):
        read_folder(save_noise(tmp_path / "a.png", 0))


def test_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds only the class 'ill'"):
        read_folder(_save_all(tmp_path, "ill/1.png", "unlabelled/2.png"))


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no class"):
        read_folder(tmp_path)


def test_class_without_an_image_is_refused(tmp_path: Path) -> None:
    _save_all(tmp_path, "train/ill/1.png", "train/well/2.png", "val/ill/3.png")
    (tmp_path / "val/well").mkdir()
    with pytest.raises(DataError, match=r"val/well: this class folder holds no PNG"):
        read_folder(tmp_path)


def test_images_outside_of_a_class_are_refused(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png", "loose.jpg")
    with pytest.raises(DataError, match=r"1 image lies outside .* loose\.jpg"):
        read_folder(tmp_path)


def test_dicom_files_tell_patient_study_and_device(tmp_path: Path) -> None:
    for number, word in enumerate(("ill", "well")):
        (tmp_path / word).mkdir()
        save(
            tmp_path / word / "a.dcm",
            np.zeros((4, 4), dtype=np.uint8),
            PatientID="7",
            StudyInstanceUID=f"1.2.{number}",
            Manufacturer="A",
        )
    first, second = read_folder(tmp_path).samples
    assert first.group == second.group == "patient 7"
    assert (first.study, second.study) == ("1.2.0", "1.2.1")
    assert first.attributes == {"device": "A"}
    assert not first.guessed


def test_dicom_without_an_ending_is_an_image_and_a_report_is_none(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4), dtype=np.uint8)
    for number, name in enumerate(("ill/IM0001", "ill/1.2.840.5", "well/b.dcm")):
        save(tmp_path / name, pixels, PatientID=f"{number}")
    report = dataset_of(pixels)
    report.SOPClassUID = ComprehensiveSRStorage
    (tmp_path / "well/SR1").write_bytes(encoded(report))
    images = read_folder(tmp_path)
    assert [s.name for s in images.samples] == ["ill/1.2.840.5", "ill/IM0001", "well/b.dcm"]
    assert images.group_word == "patient"
    (caveat,) = images.caveats
    assert caveat.startswith("1 DICOM file holds no picture")


def test_loose_dicom_without_an_ending_is_refused(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png")
    save(tmp_path / "IM1", np.zeros((4, 4), dtype=np.uint8))
    with pytest.raises(DataError, match=r"1 image lies outside .* IM1"):
        read_folder(tmp_path)


@pytest.mark.parametrize("names", [("images", "masks"), ("train/Img", "train/annotations")])
def test_images_and_masks_are_no_classes(tmp_path: Path, names: tuple[str, str]) -> None:
    _save_all(tmp_path, *(f"{name}/1.png" for name in names))
    with pytest.raises(DataError, match=r"which are called like images and their masks, and not"):
        read_folder(tmp_path)


def test_masks_within_a_class_are_refused(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/images/1.png", "ill/masks/1.png", "well/images/2.png")
    with pytest.raises(DataError, match=r"ill: holds 'images' and 'masks', which are called like"):
        read_folder(tmp_path)


@pytest.mark.parametrize("place", ["ill/annotations/1.xml", "ill/labels/1.txt"])
def test_texts_beside_the_images_of_a_class_are_no_masks(tmp_path: Path, place: str) -> None:
    _save_all(tmp_path, "ill/images/1.png", "well/2.png")
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text("0 0.5 0.5 0.1 0.1")
    assert [s.name for s in read_folder(tmp_path).samples] == ["ill/images/1.png", "well/2.png"]


def test_a_class_that_holds_no_picture_is_refused(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png", "well/2.png")
    report = dataset_of(np.zeros((4, 4), dtype=np.uint8))
    report.SOPClassUID = ComprehensiveSRStorage
    (tmp_path / "other").mkdir()
    (tmp_path / "other/SR1").write_bytes(encoded(report))
    with pytest.raises(DataError, match="other: this class folder holds no "):
        read_folder(tmp_path)


def test_a_class_of_masks_alone_is_a_class(tmp_path: Path) -> None:
    _save_all(tmp_path, "mask/1.png", "no mask/2.png")
    assert read_folder(tmp_path).classes == ("mask", "no mask")


def test_linked_folders_are_read_and_a_link_to_itself_is_no_class(tmp_path: Path) -> None:
    root = _save_all(tmp_path / "set", "ill/1.png", "well/2.png")
    _save_all(tmp_path / "store", "p1/3.png")
    (root / "ill" / "p1").symlink_to(tmp_path / "store" / "p1")
    (root / "ill" / "up").symlink_to("..")
    (root / "all").symlink_to(".")
    images = read_folder(root)
    assert images.classes == ("ill", "well")
    assert [s.name for s in images.samples] == ["ill/1.png", "ill/p1/3.png", "well/2.png"]


def test_a_class_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    _save_all(tmp_path, "ill/1.png")
    (tmp_path / "well").mkdir()
    (tmp_path / "well" / "well.tar.gz").write_bytes(b"packed")
    with pytest.raises(DataError, match=r"well: this class folder .* Unpack well\.tar\.gz"):
        read_folder(tmp_path)


def _patients(root: Path, *folders: str) -> Path:
    for number, folder in enumerate(folders):
        for row in range(2):
            pixels = np.full((4, 4), 2 * number + row, np.uint8)
            save(root / folder / f"{number}-{row}", pixels, PatientID=f"id {number}")
    return root


def test_folders_of_one_patient_each_are_no_classes(tmp_path: Path) -> None:
    root = _patients(tmp_path, "PAT1", "PAT2", "PAT3", "PAT4")
    with pytest.raises(DataError, match="each of 4 folders .* one patient, .* CSV file with the"):
        read_folder(root)
    (root / "PAT4" / "3-0").rename(root / "PAT1" / "3-0")  # a class then holds two patients
    assert len(read_folder(root).classes) == 4


def test_folders_that_are_named_after_patients_are_no_classes(tmp_path: Path) -> None:
    _save_all(tmp_path, *(f"Patient {n}/CT/{k}.png" for n in range(1, 4) for k in range(2)))
    assert len(read_folder(tmp_path).classes) == 3
    _save_all(tmp_path, "patient_04/a.png")
    with pytest.raises(
        DataError, match=r"4 folders are named after patients.*'Patient 1'.*path, la.*rename"
    ):
        read_folder(tmp_path)
    _save_all(tmp_path, "healthy/a.png")
    assert len(read_folder(tmp_path).classes) == 5


def test_one_class_without_patients_leaves_the_others_classes(tmp_path: Path) -> None:
    root = _patients(tmp_path, "one", "two", "three", "four")
    (root / "five").mkdir()
    Image.new("L", (8, 8)).save(root / "five" / "a.png")
    assert len(read_folder(root).classes) == 5


def test_classes_of_several_patients_are_classes(tmp_path: Path) -> None:
    names = [f"class {number % 4}" for number in range(8)]
    assert len(read_folder(_patients(tmp_path, *names)).classes) == 4
