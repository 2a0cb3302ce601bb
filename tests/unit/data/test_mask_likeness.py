"""Masks are told from images by what the files show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.data.mask_likeness import masks_of_images


def _names(path: Path, folder: Path) -> list[str]:
    return [path.relative_to(folder).stem]


def _save(folder: Path, count: int, *, masks: bool, first: int = 0) -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), np.uint8)
        Image.fromarray(pixels // 100 if masks else pixels).save(folder / f"{number}.png")
    return folder


def test_masks_are_found_whatever_their_place(tmp_path: Path) -> None:
    images = _save(tmp_path / "b", 6, masks=False)
    masks = _save(tmp_path / "a", 6, masks=True)
    assert masks_of_images([images, masks], _names) == (images, masks)
    assert masks_of_images([masks, images], _names) == (images, masks)


@pytest.mark.parametrize("masks", [True, False])
def test_classes_that_look_alike_are_none(tmp_path: Path, masks: bool) -> None:
    folders = [_save(tmp_path / name, 6, masks=masks) for name in ("ill", "well")]
    assert masks_of_images(folders, _names) is None


def test_files_of_other_names_are_none(tmp_path: Path) -> None:
    images = _save(tmp_path / "a", 20, masks=False)
    assert masks_of_images([images, _save(tmp_path / "b", 20, masks=True, first=4)], _names) is None
    masks = _save(tmp_path / "c", 20, masks=True, first=1)
    assert masks_of_images([images, masks], _names) == (images, masks)


def test_one_folder_of_nothing_or_very_many_are_none(tmp_path: Path) -> None:
    images, empty = _save(tmp_path / "a", 3, masks=False), tmp_path / "b"
    empty.mkdir()
    assert masks_of_images([images, empty], _names) is None
    many = [_save(tmp_path / f"c{number}", 3, masks=True) for number in range(8)]
    assert masks_of_images([images, *many[:7]], _names) == (images, many[0])
    assert masks_of_images([images, *many], _names) is None
