"""Sizes of images and masks, from their headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.mask_sizes import check_sizes, picture_size
from tests.unit.data.pictures import save_noise
from tests.unit.imaging.dicom_files import save


def test_sizes_are_those_of_upright_pictures(tmp_path: Path) -> None:
    assert picture_size(save_noise(tmp_path / "a.png", 0, size=(24, 16))) == (24, 16)
    assert picture_size(save(tmp_path / "IM1", np.zeros((3, 5), np.uint8))) == (5, 3)
    for orientation, expected in ((1, (24, 16)), (3, (24, 16)), (6, (16, 24)), (9, (24, 16))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("L", (24, 16)).save(tmp_path / "b.jpg", exif=exif)
        assert picture_size(tmp_path / "b.jpg") == expected


def test_a_file_that_does_not_tell_is_left_to_the_reader(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    pair = (tmp_path / "a.png", save_noise(tmp_path / "b.png", 0))
    assert picture_size(pair[0]) is None
    assert picture_size(tmp_path / "absent.png") is None
    check_sizes([pair])


@pytest.mark.parametrize("workers", [0, 1])
def test_other_sizes_are_counted_and_one_is_named(tmp_path: Path, workers: int) -> None:
    sizes = [((24, 16), (24, 16)), ((24, 16), (16, 24)), ((24, 16), (12, 8)), ((24, 16), (12, 9))]
    pairs = [
        (
            save_noise(tmp_path / f"i{number}.png", 0, size=one),
            save_noise(tmp_path / f"m{number}.png", 0, size=two),
        )
        for number, (one, two) in enumerate(sizes)
    ]
    words = r"m1.png: is 16 x 24 pixels, its image i1.png 24 x 16; 1 of 4 masks is of another shape"
    with pytest.raises(DataError, match=words):
        check_sizes(pairs, workers=workers)
    assert check_sizes(pairs[:1], workers=workers) == ()
    (caveat,) = check_sizes([pairs[0], *pairs[2:]], workers=workers)
    assert caveat.startswith("2 of 3 masks are of another size")


def test_a_png_is_not_decoded_for_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_noise(tmp_path / "a.png", 0, size=(24, 16))

    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", refuse)
    assert picture_size(path) == (24, 16)
