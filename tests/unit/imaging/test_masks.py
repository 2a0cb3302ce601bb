"""Masks of two and of several classes; JPEG is cut at half of white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.imaging.masks import read_mask

VALUES = np.zeros((16, 16), dtype=np.uint8)
VALUES[4:12, 4:12] = 255


@pytest.mark.parametrize("name", ["m.png", "m.jpg"])
def test_binary_masks_are_cut_at_half_of_white(tmp_path: Path, name: str) -> None:
    Image.fromarray(VALUES).save(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name), VALUES // 255)


def test_half_of_white_is_127(tmp_path: Path) -> None:
    Image.fromarray(np.array([[127, 128]], dtype=np.uint8)).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), [[0, 1]])


def test_masks_of_zero_and_one_are_not_lost(tmp_path: Path) -> None:
    Image.fromarray(VALUES // 255).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), VALUES // 255)


def test_several_classes_are_values(tmp_path: Path) -> None:
    Image.fromarray(VALUES // 128 * 2).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", classes=3), VALUES // 128 * 2)
    Image.fromarray(VALUES).save(tmp_path / "n.png")
    with pytest.raises(DataError, match="values from 0 to 255 for 3 classes"):
        read_mask(tmp_path / "n.png", classes=3)


def test_several_classes_in_jpeg_are_refused(tmp_path: Path) -> None:
    Image.fromarray(VALUES).save(tmp_path / "m.jpg")
    with pytest.raises(DataError, match="JPEG, which cannot hold class numbers"):
        read_mask(tmp_path / "m.jpg", classes=3)
