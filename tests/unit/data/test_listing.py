"""What is listed below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.data.layouts import read_data
from medistill.data.listing import (
    archives_below,
    files_below,
    images_below,
    images_in,
    subfolders,
)
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save

PIXELS = np.zeros((4, 4), dtype=np.uint8)


def _names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_images_are_told_by_ending_and_dicom_by_its_bytes(tmp_path: Path) -> None:
    save_noise(tmp_path / "b" / "1.png", 0)
    for name in ("IM0001", "1.2.840.113619.2.55", "DICOMDIR", ".hidden", "__MACOSX/x"):
        save(tmp_path / "a" / name, PIXELS)
    for name in ("notes.txt", "a/README"):
        (tmp_path / name).write_text("about")
    found = _names(tmp_path, images_below(tmp_path))
    assert found == ["a/1.2.840.113619.2.55", "a/IM0001", "b/1.png"]
    assert _names(tmp_path, images_in(tmp_path / "a")) == found[:2]


def test_links_are_followed_and_those_to_what_holds_them_are_not(tmp_path: Path) -> None:
    root, store = tmp_path / "set", tmp_path / "store"
    save_noise(root / "a" / "1.png", 0)
    save_noise(store / "p" / "2.png", 1)
    (root / "a" / "linked").symlink_to(store / "p")
    (store / "p" / "back").symlink_to(root)
    (root / "a" / "up").symlink_to("..")
    (root / "self").symlink_to(".")
    expected = ["a/1.png", "a/linked/2.png"]
    assert _names(root, list(files_below(root))) == expected
    assert _names(root, images_below(root / "a")) == expected
    assert _names(root, subfolders(root)) == ["a"]
    (tmp_path / "door").symlink_to(root)
    assert _names(tmp_path / "door", images_below(tmp_path / "door")) == expected


def test_links_within_a_tree_list_nothing_twice(tmp_path: Path) -> None:
    root, store = tmp_path / "set", tmp_path / "store"
    for folder in (root / "v1", store):
        folder.mkdir(parents=True)
        save_noise(folder / "1.png", 0)
    (root / "latest").symlink_to("v1")
    for name in ("one", "two"):
        (root / name).symlink_to(store)
        (store / name).symlink_to(store)
    found = [path.relative_to(root).as_posix() for path in images_below(root)]
    assert found == ["one/1.png", "v1/1.png"]
    assert [path.name for path in subfolders(root)] == ["one", "v1"]


def test_pipes_are_not_opened_and_broken_links_are_left_to_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "IM1")
    (tmp_path / "b.png").symlink_to(tmp_path / "absent.png")
    (tmp_path / "c.png").symlink_to("c.png")
    (tmp_path / "d.png").symlink_to("a.png")
    assert _names(tmp_path, images_below(tmp_path)) == ["b.png", "c.png"]
    assert _names(tmp_path, images_in(tmp_path)) == ["b.png", "c.png"]


@pytest.mark.parametrize("place", ["A", "肺".encode("gbk").decode(errors="surrogateescape")])
def test_a_name_that_is_not_utf_8_is_refused_at_once(tmp_path: Path, place: str) -> None:
    root = tmp_path / "set"
    for name in (f"{place}/1.png", "B/2.png"):
        save_noise(root / name, 0)
    (root / place / "1.png").rename(root / place / os.fsdecode("肺 1.png".encode("gbk")))
    with pytest.raises(DataError, match=r"\\xb7\\xce 1.png: this name is not UTF-8.* Rename it"):
        read_data(root, cache=tmp_path)


def test_a_root_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode("肺".encode("gbk"))
    for name in ("A/1.png", "B/2.png"):
        save_noise(root / name, 0)
    with pytest.raises(DataError, match=r"\\xb7\\xce: this name is not UTF-8"):
        read_data(root, cache=tmp_path)


def test_other_files_may_have_any_name(tmp_path: Path) -> None:
    save_noise(tmp_path / "1.png", 0)
    (tmp_path / os.fsdecode("肺.txt".encode("gbk"))).write_text("about")
    assert _names(tmp_path, images_below(tmp_path)) == ["1.png"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent: cannot be listed \(No such file"):
        images_below(tmp_path / "absent")


def test_archives_are_known_by_their_endings(tmp_path: Path) -> None:
    for name in ("b.ZIP", "deep/a.tar.gz", "c.nii.gz", ".hidden.zip", "d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert archives_below(tmp_path) == [tmp_path / "b.ZIP", tmp_path / "deep/a.tar.gz"]
