"""Class names of dataset.json, and images of imagesTs that have no masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medistill.core.errors import DataError
from medistill.data.mask_classes import MaskClasses
from medistill.data.nnunet import named_classes, unlabelled_test
from medistill.data.paired_folders import FolderPair

THREE = MaskClasses(("background", "class-1", "class-2"), ("said",), ((0, 1), (0, 2, 255)))
OF_THREE = ("background", "liver", "tumour")


def two(*values: int) -> MaskClasses:
    return MaskClasses(("background", "foreground"), (), (values,))


def write(folder: Path, labels: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(json.dumps({"name": "Liver", "labels": labels}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "liver", "2": "tumour"},
        {"background": 0, "tumour": 2, "liver": 1},
        {"background": "0", "liver": "1", " tumour ": "2"},
        {"bg": 0, "liver": 1, "tumour": 2, "ignore": 3},
    ],
)
def test_names_of_either_form_are_taken_in_the_order_of_the_numbers(
    tmp_path: Path, labels: Any
) -> None:
    found = named_classes(THREE, write(tmp_path, labels))
    assert (found.names, found.values) == (OF_THREE, THREE.values)


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (1, 255)])
def test_black_and_white_masks_show_the_one_class_that_is_named(
    tmp_path: Path, values: tuple[int, ...]
) -> None:
    root = write(tmp_path, {"background": 0, "lesion": 1})
    assert named_classes(two(*values), root) == MaskClasses(("background", "lesion"), (), (values,))


def test_classes_that_no_mask_shows_are_said(tmp_path: Path) -> None:
    root = write(tmp_path, {"0": "background", "1": "liver", "2": "tumour", "3": "cyst"})
    found = named_classes(two(0, 1), root)
    assert found.names == ("background", "liver")
    assert found.caveats == (
        "dataset.json names 2 classes that no mask shows and that are left out: 'tumour', 'cyst'.",
    )
    assert named_classes(THREE, root).caveats == (
        "said",
        "dataset.json names 1 class that no mask shows and that is left out: 'cyst'.",
    )


def test_regions_are_said_and_leave_the_classes_numbered(tmp_path: Path) -> None:
    root = write(tmp_path, {"background": 0, "whole tumour": [1, 2], "core": [2]})
    found = named_classes(THREE, root)
    assert found.names == THREE.names
    assert found.caveats[1:] == (
        "dataset.json names the regions 'whole tumour', 'core', and no name for each value of the "
        "masks: the classes are numbered.",
    )


def test_without_the_file_or_its_labels_classes_stay_numbered(tmp_path: Path) -> None:
    assert named_classes(THREE, tmp_path) == THREE
    (tmp_path / "dataset.json").write_text('{"images": 3}')
    assert named_classes(THREE, tmp_path) == THREE


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"0": "background", "1": "liver"}, "'labels' does not name 2, which the masks hold. Mend"),
        ({"a": 1, "ignore": 2}, "masks hold 2, which 'labels' says to ignore. Write 255"),
        ({"a": 1, "b": 1, "c": 2}, r"gives the label 1 \('b'\) twice"),
        ({"1": "a", "2": "a"}, r"gives the label 2 \('a'\) twice"),
        ({"a": 1.5}, "holds 'a': 1.5, which is no name and number"),
        ({"a": True}, "holds 'a': True, which is no name and number"),
        ({"a": -1}, "holds 'a': -1, which is no"),
        ({"": 1}, "holds '': 1, which is no"),
        ({"one": "liver"}, "holds 'one': 'liver', which is no"),
        (["liver"], "'labels' is not an object of names and numbers. Mend"),
    ],
)
def test_labels_that_contradict_or_say_nothing_are_refused(
    tmp_path: Path, labels: Any, said: str
) -> None:
    with pytest.raises(DataError, match=rf"dataset.json: .*{said}"):
        named_classes(THREE, write(tmp_path, labels))


def test_white_is_no_class_where_several_are_named(tmp_path: Path) -> None:
    root = write(tmp_path, {"background": 0, "liver": 1, "tumour": 2})
    with pytest.raises(DataError, match="does not name 255, which the masks hold"):
        named_classes(two(0, 255), root)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"labels": {', r"is not JSON \(Expecting"),
        (b'{"labels": "\xff"}', r"is not JSON \('utf-8'"),
        (b"[" * 10**5, "is not JSON"),
        (b"[1]", "is not a JSON object"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"dataset.json: {said}.*move the file away"):
        named_classes(THREE, tmp_path)


def test_a_file_beyond_the_largest_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "dataset.json").open("wb") as stream:
        stream.truncate(2**26 + 1)
    with pytest.raises(DataError, match="has more than 64 MB"):
        named_classes(THREE, tmp_path)


def test_images_to_predict_are_counted_unless_they_are_read(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("imagesTr", "labelsTr", "imagesTs")]
    for folder in folders:
        folder.mkdir()
    words = "volume|volumes is|are left out"
    training = FolderPair(folders[0], folders[1])
    assert unlabelled_test(tmp_path, [training], Path.is_file, words) == ()
    (folders[2] / "a.nii").touch()
    (folders[2] / "b.nii").touch()
    expected = ("2 volumes are left out ('imagesTs').",)
    assert unlabelled_test(tmp_path, [training], Path.is_file, words) == expected
    test = FolderPair(folders[2], folders[1], "test")
    assert unlabelled_test(tmp_path, [training, test], Path.is_file, words) == ()
