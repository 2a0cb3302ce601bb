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


def test_a_folder_of_nothing_is_none(tmp_path: Path) -> None:
    images, empty = _save(tmp_path / "a", 3, masks=False), tmp_path / "b"
    empty.mkdir()
    assert masks_of_images([images, empty], _names) is None


def _classes(tmp_path: Path, other: np.ndarray, ending: str) -> list[Path]:
    """A class of noise, and one of such pictures under the same names."""
    folder = tmp_path / "other"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(other).save(folder / f"{number}{ending}")
    return [_save(tmp_path / "noise", 6, masks=False), folder]


_DRAW = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("other", "ending"),
    [
        (np.full((16, 16, 3), (245, 230, 240), np.uint8), ".jpg"),  # an empty glass slide
        (_DRAW.integers(0, 28, (64, 64), np.uint8), ".jpg"),  # fluorescence on black
        (_DRAW.integers(0, 28, (64, 64, 3), np.uint8), ".jpg"),  # endoscopy in the dark
        (np.zeros((16, 16), np.uint8), ".png"),
        (_DRAW.integers(0, 16, (64, 64), np.uint8) * 12, ".png"),  # few levels of gray
    ],
)
def test_plain_pictures_of_a_class_are_no_masks(
    tmp_path: Path, other: np.ndarray, ending: str
) -> None:
    assert masks_of_images(_classes(tmp_path, other, ending), _names) is None
