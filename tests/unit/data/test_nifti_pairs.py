"""Volumes and label maps, cut into slices."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.core.types import Plane
from medistill.data.layouts import read_data
from medistill.data.masks import Masks
from medistill.data.nifti_pairs import is_nifti_pairs, read_nifti_pairs
from medistill.imaging.reader import read_image

VOLUME = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
MIRRORED = np.diag([-1.0, -1.0, 1.0, 1.0])


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = nibabel.Nifti1Image(data, np.eye(4) if affine is None else affine)  # type: ignore[no-untyped-call]
    nibabel.save(volume, path)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("plane", "count"), [("axial", 5), ("coronal", 4), ("sagittal", 3)])
@pytest.mark.parametrize("affine", [np.eye(4), MIRRORED])
def test_every_slice_along_a_plane_has_its_mask(
    tmp_path: Path, plane: Plane, count: int, affine: np.ndarray
) -> None:
    save(tmp_path / "imagesTr" / "a_0000.nii.gz", VOLUME, affine)
    save(tmp_path / "labelsTr" / "a.nii.gz", VOLUME % 3, affine)
    assert is_nifti_pairs(tmp_path)
    images = read_data(tmp_path, cache=tmp_path / "cache", plane=plane)
    assert images.name == "nifti"
    assert images.classes == ("background", "class-1", "class-2")
    assert len(images.samples) == count
    assert {s.group for s in images.samples} == {"a"}
    last = images.samples[-1]
    assert last.name == f"imagesTr/a_0000.nii.gz#{plane}{count - 1:05}"
    masks = Masks(images.samples, 3)
    for row, sample in enumerate(images.samples):
        pixels = read_image(sample.path, frame=sample.frame, plane=sample.plane).pixels
        np.testing.assert_array_equal(masks[row], np.rint(pixels * 255).astype(int) % 3)


@pytest.mark.parametrize("workers", [0, 2])
def test_black_and_white_label_maps_have_two_classes(tmp_path: Path, workers: int) -> None:
    for number, name in enumerate(("a", "b")):
        save(tmp_path / "images" / f"{name}.nii.gz", VOLUME)
        save(tmp_path / "labels" / f"{name}.nii.gz", (VOLUME > 30).astype(np.uint8) * 255 * number)
    images = read_nifti_pairs(tmp_path, workers=workers)
    assert images.classes == ("background", "foreground")
    assert Masks(images.samples, 2)[9].tolist() == (VOLUME > 30)[::-1, ::-1, 4].T.tolist()


def test_label_maps_on_another_grid_are_refused(tmp_path: Path) -> None:
    image, labels = tmp_path / "images" / "a.nii.gz", tmp_path / "labels" / "a.nii.gz"
    save(image, VOLUME, MIRRORED)
    save(labels, VOLUME[:, :3])
    with pytest.raises(DataError, match=r"labels/a.nii.gz: has 3 x 3 x 5 voxels, its volume 3 x 4"):
        read_nifti_pairs(tmp_path)
    save(labels, VOLUME)
    with pytest.raises(
        DataError, match=r"affine is not that of its volume \(a.nii.gz\)\. Resample"
    ):
        read_nifti_pairs(tmp_path)
    save(labels, VOLUME % 3, MIRRORED + 5e-4)  # rounding of another program
    assert len(read_nifti_pairs(tmp_path).samples) == 5


def test_a_volume_without_label_map_is_counted(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.nii.gz", VOLUME)
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match="1 of 1 volumes have no label map"):
        read_nifti_pairs(tmp_path)


def test_volumes_of_any_depth_and_spelling_are_found(tmp_path: Path) -> None:
    for who in ("p0", "p1"):
        save(tmp_path / "images" / who / "ct_0000.nii.gz", VOLUME)
        save(tmp_path / "masks" / who / "ct_seg.nii.gz", VOLUME % 2)
    upper = tmp_path / "images" / "p1" / "CT_0000.NII.GZ"
    (tmp_path / "images" / "p1" / "ct_0000.nii.gz").rename(upper)
    (tmp_path / "masks" / "p1" / "ct_seg.nii.gz").rename(tmp_path / "masks" / "p1" / "CT.nii.gz")
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert images.name == "nifti"
    assert [s.group for s in images.samples] == ["p0/ct"] * 5 + ["p1/CT"] * 5
    assert images.samples[-1].name == "images/p1/CT_0000.NII.GZ#axial00004"


def test_one_number_of_two_splits_is_two_groups(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save(tmp_path / split / "images" / "1.nii", VOLUME)
        save(tmp_path / split / "labels" / "1.nii", VOLUME % 2)
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert [(s.group, s.split) for s in images.samples[::5]] == [
        ("test/1", "test"),
        ("train/1", "train"),
    ]


@pytest.mark.parametrize(("plane", "expected"), [("axial", [1, 0, 0, 0, 1]), ("sagittal", [1] * 3)])
@pytest.mark.parametrize("affine", [np.eye(4), np.diag([1.0, 1.0, -1.0, 1.0])])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_labels_say_what_slices_show(
    tmp_path: Path, plane: Plane, expected: list[int], affine: np.ndarray, ending: str
) -> None:
    labels = np.zeros(VOLUME.shape, np.uint8)
    labels[:, 1, 0] = labels[:, 2, 4] = 255
    save(tmp_path / "images" / f"a{ending}", VOLUME, affine)
    save(tmp_path / "labels" / f"a{ending}", labels, affine)
    images = read_nifti_pairs(tmp_path, plane=plane)
    assert [s.label for s in images.samples] == [(1.0, float(shown)) for shown in expected]
    masks = Masks(images.samples, 2)
    assert [bool(masks[row].any()) for row in range(len(images.samples))] == [*map(bool, expected)]


def test_classes_have_the_names_of_dataset_json_and_an_unlabelled_test_is_said(
    tmp_path: Path,
) -> None:
    save(tmp_path / "imagesTr" / "a_0000.nii.gz", VOLUME)
    save(tmp_path / "labelsTr" / "a.nii.gz", VOLUME % 3)
    save(tmp_path / "imagesTs" / "b_0000.nii.gz", VOLUME)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "liver": 1, "cyst": 2}}')
    images = read_data(tmp_path, cache=tmp_path / "cache")
    assert images.classes == ("background", "liver", "cyst")
    assert "1 volume without label map is left out ('imagesTs')." in images.caveats
    assert {s.group for s in images.samples} == {"a"}
