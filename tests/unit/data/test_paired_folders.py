"""Which folders and which files belong together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.listing import is_image_file
from medistill.data.paired_folders import (
    LABEL_MAPS,
    MASKS,
    FolderPair,
    file_pairs,
    folder_pairs,
    refuse_mask_folders,
    seen_pairs,
    spare_masks,
)


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _files(root: Path) -> tuple[list[tuple[str, str, str, str | None]], list[str]]:
    found, spare = file_pairs(folder_pairs(root), is_image_file, image="image", mask="mask")
    named = [
        (each.stem, each.image.relative_to(root).as_posix(), each.mask.name, each.split)
        for each in found
    ]
    return named, [path.name for path in spare]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("img", "mask"),
        ("image", "label"),
        ("Images", "Annotations"),
        ("imgs", "seg"),
        ("imagesTr", "labelsTr"),
        ("CXRs", "ground_truth"),
    ],
)
def test_usual_names(tmp_path: Path, images: str, masks: str) -> None:
    _touch(tmp_path, f"{images}/a.png", f"{masks}/a.png", "notes/b.txt")
    assert folder_pairs(tmp_path) == [FolderPair(tmp_path / images, tmp_path / masks)]
    with pytest.raises(DataError, match=f"holds '{images}' and '{masks}', which are called like"):
        refuse_mask_folders(tmp_path, tmp_path.iterdir())


def test_other_names_are_no_pair(tmp_path: Path) -> None:
    _touch(tmp_path, "images/a.png", "overlays/a.png")
    assert folder_pairs(tmp_path) == folder_pairs(tmp_path / "absent") == []
    refuse_mask_folders(tmp_path, tmp_path.iterdir())


def test_labels_go_before_masks_beside_volumes_alone(tmp_path: Path) -> None:
    _touch(tmp_path, "images/a", "masks/a", "labels/a")
    assert folder_pairs(tmp_path)[0].masks.name == "masks"
    assert folder_pairs(tmp_path, LABEL_MAPS)[0].masks.name == "labels"
    assert set(LABEL_MAPS) == set(MASKS)


@pytest.mark.parametrize("form", ["{split}/{kind}", "{kind}/{split}"])
def test_splits_above_and_below(tmp_path: Path, form: str) -> None:
    for split in ("train", "Testing"):
        for kind in ("images", "masks"):
            _touch(tmp_path, form.format(split=split, kind=kind) + "/p/1.png")
    found, spare = _files(tmp_path)
    names = [form.format(split=split, kind="images") for split in ("Testing", "train")]
    assert found == [
        ("p/1", f"{names[0]}/p/1.png", "1.png", "test"),
        ("p/1", f"{names[1]}/p/1.png", "1.png", "train"),
    ]
    assert spare == []


def test_a_split_without_masks_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "train/images/1.png", "train/masks/1.png", "test/images/2.png")
    with pytest.raises(DataError, match="test: holds no folders of images and masks, as other"):
        folder_pairs(tmp_path)


def test_a_mask_may_say_that_it_is_one(tmp_path: Path) -> None:
    _touch(tmp_path, "images/a.png", "images/b_seg.png", "images/1.2.840", "images/c_0000.NII.GZ")
    _touch(tmp_path, "masks/a_mask.png", "masks/b_seg.png", "masks/1.2.840.png", "masks/c.nii.gz")
    _touch(tmp_path, "masks/d.png", "masks/a_gt.png", "images/IM.txt")
    (tmp_path / "images/1.2.840").write_bytes(b"\0" * 128 + b"DICM")
    found, spare = _files(tmp_path)
    assert [(stem, mask) for stem, _, mask, _ in found] == [
        ("1.2.840", "1.2.840.png"),
        ("a", "a_mask.png"),
        ("b_seg", "b_seg.png"),
        ("c", "c.nii.gz"),
    ]
    assert spare == ["a_gt.png", "d.png"]


def test_spare_masks_are_counted(tmp_path: Path) -> None:
    spare = [tmp_path / "masks/b.png", tmp_path / "masks/a.png"]
    words = "2 masks have no image and are left out, for example masks/a.png."
    assert spare_masks(spare, tmp_path) == (words,)
    assert spare_masks([], tmp_path) == ()


def test_an_image_without_mask_is_named_with_what_was_sought(tmp_path: Path) -> None:
    _touch(tmp_path, "images/p/c0_0000.png", "masks/p/c1.png")
    words = r"1 of 1 images have no mask, for example p/c0_0000.png \(sought .*'p/c0_seg'"
    with pytest.raises(DataError, match=words) as caught:
        _files(tmp_path)
    assert "; found: 'p/c1')" in caught.value.what
    assert "Give c0_0000.png a mask of its name; or move it out of 'images'" in caught.value.cure


def test_names_that_do_not_say_which_belong_together_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "images/3.png", "images/3.jpg", "masks/3.png")
    with pytest.raises(DataError, match=r"3.png: this mask would belong to 2 images: 3.jpg, 3.png"):
        _files(tmp_path)
    (tmp_path / "images/3.jpg").unlink()
    _touch(tmp_path, "masks/3.jpg")
    with pytest.raises(DataError, match=r"more than one mask called '3', .*: 3\.jpg and 3\.png"):
        _files(tmp_path)


def test_no_image_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    _touch(tmp_path, "masks/1.png")
    with pytest.raises(DataError, match="images: holds no image. Add them, or move 'masks' away"):
        _files(tmp_path)


def _drawn(folder: Path, *, masks: bool, numbers: range = range(6), end: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        draw = np.random.default_rng(number)
        pixels = draw.integers(0, 256, (16, 16), np.uint8)
        shown = (pixels > 128) * np.uint8(255) if masks else pixels
        Image.fromarray(shown).save(folder / f"{number}{end}.png")


@pytest.mark.parametrize("end", ["", "_seg"])
@pytest.mark.parametrize("names", [("Bilder", "Masken"), ("z-scans", "a-drawn")])
def test_folders_of_any_name_are_a_pair_by_what_they_show(
    tmp_path: Path, names: tuple[str, str], end: str
) -> None:
    images, masks = (tmp_path / name for name in names)
    _drawn(images, masks=False)
    _drawn(masks, masks=True, end=end)
    pairs = folder_pairs(tmp_path)
    assert pairs == [FolderPair(images, masks, seen=True)]
    assert seen_pairs(pairs, tmp_path) == (
        f"'{names[1]}' is taken for the masks of '{names[0]}', by what its files show.",
    )
    found, spare = file_pairs(pairs, is_image_file, image="image", mask="mask")
    assert (len(found), spare) == (6, [])
    assert folder_pairs(tmp_path / "..") == []
    # Who names the layout of classes means classes.
    refuse_mask_folders(tmp_path, tmp_path.iterdir())


def test_splits_of_folders_of_any_name(tmp_path: Path) -> None:
    for split in ("train", "test"):
        _drawn(tmp_path / split / "Bilder", masks=False)
        _drawn(tmp_path / split / "Masken", masks=True)
    assert [(p.masks.parent.name, p.split, p.seen) for p in folder_pairs(tmp_path)] == [
        ("test", "test", True),
        ("train", "train", True),
    ]


def test_the_test_set_of_nnunet_is_a_split(tmp_path: Path) -> None:
    tr, ts = "imagesTr/a_0000.png labelsTr/a.png", "imagesTs/b_0000.png labelsTs/b.png"
    _touch(tmp_path, *tr.split(), *ts.split()[:1])
    assert _files(tmp_path)[0] == [("a", "imagesTr/a_0000.png", "a.png", None)]
    _touch(tmp_path, *ts.split())
    assert _files(tmp_path)[0] == [
        ("a", "imagesTr/a_0000.png", "a.png", "train"),
        ("b", "imagesTs/b_0000.png", "b.png", "test"),
    ]


def test_an_empty_folder_of_test_masks_is_none(tmp_path: Path) -> None:
    _touch(tmp_path, "imagesTr/a_0000.png", "labelsTr/a.png", "imagesTs/b_0000.png")
    (tmp_path / "labelsTs").mkdir()
    assert _files(tmp_path)[0] == [("a", "imagesTr/a_0000.png", "a.png", None)]


def test_further_channels_are_refused_as_such(tmp_path: Path) -> None:
    _touch(tmp_path, "imagesTr/a_0000.png", "imagesTr/a_0001.png", "labelsTr/a.png")
    with pytest.raises(DataError, match=r"further channels .* a_0001\.png: an image has one"):
        _files(tmp_path)
