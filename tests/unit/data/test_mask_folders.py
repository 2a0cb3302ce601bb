"""Images and masks that share their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.layouts import read_data
from medistill.data.mask_folders import is_mask_folders, read_mask_folders
from medistill.data.masks import Masks
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def test_pairs_are_found(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        save_noise(tmp_path / "images" / f"{name}.png", seed)
        save_noise(tmp_path / "masks" / f"{name}.jpg", seed)
    assert is_mask_folders(tmp_path)
    images = read_mask_folders(tmp_path)
    assert (images.task, images.classes) == ("segmentation", ("background", "foreground"))
    assert [(s.name, s.mask) for s in images.samples] == [
        (f"images/{name}.png", tmp_path / "masks" / f"{name}.jpg") for name in ("a", "b")
    ]
    assert any("JPEG" in caveat for caveat in images.caveats)


def test_several_classes_reach_whoever_trains(tmp_path: Path) -> None:
    written = np.arange(24 * 16).reshape(16, 24) % 4
    save_noise(tmp_path / "images" / "a.png", 0)
    (tmp_path / "masks").mkdir()
    Image.fromarray(written.astype(np.uint8)).save(tmp_path / "masks" / "a_mask.png")
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert images.name == "masks"
    assert images.classes == ("background", "class-1", "class-2", "class-3")
    np.testing.assert_array_equal(Masks(images.samples, len(images.classes))[0], written)


def test_image_without_mask_is_named(tmp_path: Path) -> None:
    save_noise(tmp_path / "images" / "a.png", 0)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="1 of 1 images have no mask, for example a"):
        read_mask_folders(tmp_path)


def test_masks_that_show_nothing_are_refused(tmp_path: Path) -> None:
    save_noise(tmp_path / "images" / "a.png", 0)
    (tmp_path / "masks").mkdir()
    Image.new("L", (24, 16)).save(tmp_path / "masks" / "a.png")
    with pytest.raises(DataError, match=r"masks: the only mask is empty\. Check that these are"):
        read_mask_folders(tmp_path)


@pytest.mark.parametrize("form", ["{split}/{kind}", "{kind}/{split}"])
def test_splits_above_or_below_are_kept(tmp_path: Path, form: str) -> None:
    for seed, split in enumerate(("train", "test")):
        for kind in ("img", "mask"):
            save_noise(tmp_path / form.format(split=split, kind=kind) / "1.jpg", seed)
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert (images.name, images.task) == ("masks", "segmentation")
    names = {split: form.format(split=split, kind="img") + "/1.jpg" for split in ("train", "test")}
    assert {s.name: s.split for s in images.samples} == {names[key]: key for key in names}
    assert len({s.group for s in images.samples}) == 2


def test_masks_without_an_image_are_said(tmp_path: Path) -> None:
    for name in ("images/a.jpg", "masks/a.jpg", "masks/b.jpg"):
        save_noise(tmp_path / name, 0)
    images = read_mask_folders(tmp_path)
    assert len(images.samples) == 1
    assert "1 mask has no image and is left out, for example masks/b.jpg." in images.caveats


def test_labels_say_what_masks_show(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name, values in (("a", [0, 255]), ("b", [0, 0]), ("c", [255, 255])):
        save_noise(tmp_path / "images" / f"{name}.png", 0, size=(2, 1))
        Image.fromarray(np.array([values], np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    labels = [sample.label for sample in read_mask_folders(tmp_path).samples]
    assert labels == [(1.0, 1.0), (1.0, 0.0), (1.0, 1.0)]


def test_masks_of_another_orientation_are_refused(tmp_path: Path) -> None:
    save_noise(tmp_path / "images" / "a.png", 0, size=(24, 16))
    save_noise(tmp_path / "masks" / "a.jpg", 0, size=(16, 24))
    with pytest.raises(DataError, match=r"masks/a.jpg: is 16 x 24 pixels, its image a.png 24 x 16"):
        read_mask_folders(tmp_path)


def test_other_files_beside_images_and_masks_are_passed_over(tmp_path: Path) -> None:
    for name in ("images/a.png", "masks/a.jpg", "masks/preview.png"):
        save_noise(tmp_path / name, 0)
    for folder in ("images", "masks", "."):
        for name in ("Thumbs.db", ".DS_Store", "._a.png", "README.txt", "desktop.ini", "a.json"):
            (tmp_path / folder / name).write_bytes(b"no picture")
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert [sample.name for sample in images.samples] == ["images/a.png"]
    assert "1 mask has no image and is left out, for example masks/preview.png." in images.caveats
    save_noise(tmp_path / "images" / "preview2.png", 1)
    with pytest.raises(DataError, match=r"for example preview2\.png .* Give preview2\.png a mask"):
        read_data(tmp_path, cache=tmp_path / "cache")


def test_patients_of_dicom_images_are_groups(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name, who in (("a", "p1"), ("b", "p1"), ("c", "p2")):
        save(
            tmp_path / "images" / f"{name}.dcm", np.full((4, 4), ord(name), np.uint8), PatientID=who
        )
        Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    images = read_mask_folders(tmp_path)
    assert [s.group for s in images.samples] == ["patient p1", "patient p1", "patient p2"]
    assert (images.group_word, images.caveats) == ("patient", ())
    assert not any(s.guessed for s in images.samples)


def test_classes_have_the_names_of_dataset_json_and_an_unlabelled_test_is_said(
    tmp_path: Path,
) -> None:
    for name in ("imagesTr/a_0000", "labelsTr/a", "imagesTs/b_0000", "imagesTs/c_0000"):
        save_noise(tmp_path / f"{name}.png", 0)
    Image.fromarray(np.eye(16, 24, dtype=np.uint8)).save(tmp_path / "labelsTr" / "a.png")
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "lesion": 1}}')
    images = read_mask_folders(tmp_path)
    assert images.classes == ("background", "lesion")
    assert "2 images without mask are left out ('imagesTs')." in images.caveats
