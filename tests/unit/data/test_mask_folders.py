"""Images and masks that share their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.errors import DataError
from medistill.data.mask_folders import is_mask_folders, read_mask_folders
from tests.unit.data.pictures import save_noise


def test_pairs_are_found(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b")):
        save_noise(tmp_path / "images" / f"{name}.png", seed)
        save_noise(tmp_path / "masks" / f"{name}.jpg", seed)
    assert is_mask_folders(tmp_path)
    images = read_mask_folders(tmp_path)
    assert images.task == "segmentation"
    assert [(s.name, s.mask) for s in images.samples] == [
        (f"images/{name}.png", tmp_path / "masks" / f"{name}.jpg") for name in ("a", "b")
    ]
    assert any("JPEG" in caveat for caveat in images.caveats)


def test_image_without_mask_is_named(tmp_path: Path) -> None:
    save_noise(tmp_path / "images" / "a.png", 0)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="1 of 1 images have no mask, for example a"):
        read_mask_folders(tmp_path)
