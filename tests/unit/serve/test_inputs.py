from __future__ import annotations

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medistill.serve.inputs import Input, find_inputs


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folders_are_walked_sorted_and_only_images_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "c/d.tiff", "c/a.bmp", "notes.txt", ".hidden.png", "v.nii.gz")
    touch(tmp_path, ".cache/x.png", "z.tif", "病人 一/图 像.jpeg")
    found = [item.path.relative_to(tmp_path).as_posix() for item in find_inputs([tmp_path])]
    assert found == [
        "a.JPG",
        "b.png",
        "c/a.bmp",
        "c/d.tiff",
        "v.nii.gz",
        "z.tif",
        "病人 一/图 像.jpeg",
    ]


def test_named_files_are_always_tried_and_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.dat")
    given = [tmp_path / "b.png", tmp_path / "a.dat", tmp_path / "missing.png", tmp_path / "b.png"]
    assert list(find_inputs(given)) == [Input(path) for path in given]


def test_a_folder_without_images_is_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "deep/notes.txt")
    (item,) = find_inputs([tmp_path])
    assert item.path == tmp_path
    endings = "bmp, dcm, dicom, jpeg, jpg, nii, nii.gz, png, tif, tiff"
    assert item.problem == f"the folder holds no image ({endings}, or DICOM of any name)"


def test_dicom_is_found_whatever_its_name_and_an_index_is_left_out(tmp_path: Path) -> None:
    dicom = b"DICM".rjust(132, b"\0")
    for name in ("IM0001", "1.2.840.113619", "DICOMDIR", "notes"):
        (tmp_path / name).write_bytes(b"text" if name == "notes" else dicom)
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    assert [item.path.name for item in find_inputs([tmp_path])] == ["1.2.840.113619", "IM0001"]


def test_a_volume_is_listed_slice_by_slice_and_a_damaged_one_as_a_problem(tmp_path: Path) -> None:
    volume = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    nibabel.save(volume, tmp_path / "a.nii")
    (tmp_path / "b.nii.gz").write_bytes(b"rubbish")
    *slices, bad = find_inputs([tmp_path], "coronal")
    assert [item.name for item in slices] == [
        f"{tmp_path}/a.nii#coronal{number:05}" for number in range(3)
    ]
    assert {item.frames for item in slices} == {3}
    assert "damaged" in (bad.problem or "")


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "y.png").symlink_to(tmp_path / "a" / "x.png")
    assert [item.path.name for item in find_inputs([tmp_path])] == ["x.png", "y.png"]


def test_nothing_is_listed_before_it_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b/c.png")
    found = find_inputs([tmp_path])
    assert next(found).path.name == "a.png"
    touch(tmp_path, "b/d.png")
    assert [item.path.name for item in found] == ["c.png", "d.png"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may list every folder"
)
def test_a_closed_folder_is_a_problem_and_the_rest_goes_on(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png", "b.png")
    (tmp_path / "a").chmod(0)
    try:
        closed, image = find_inputs([tmp_path])
    finally:
        (tmp_path / "a").chmod(0o755)
    assert "cannot be listed" in str(closed.problem)
    assert image == Input(tmp_path / "b.png")


def test_a_name_too_long_for_the_disk_is_listed_as_a_file(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)
    assert [*find_inputs([long])] == [Input(long)]


def test_files_about_a_picture_are_called_by_it_and_by_where_it_lies() -> None:
    # The first eight digits of `printf 'a/scan.png' | sha256sum`, and so on.
    assert Input(Path("a/scan.png")).stem == "scan-18855671"
    assert Input(Path("b/scan.png")).stem == "scan-e5c038b1"
    assert Input(Path("a/v.nii.gz"), frame=12).stem == "v-axial00012-0b2b51f9"
    assert Input(Path("a/IM0001")).stem == "IM0001-fa092273"
