"""Whole numbers give bit for bit what the same conversions of float pixels give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.imaging.gray import gray_of, to_gray
from medistill.imaging.levels import Levels
from medistill.imaging.picture import Picture
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored


@pytest.mark.parametrize("white", [1, 255, 1023, 4095, 65535])
def test_every_value_is_converted_as_its_float_is(white: int) -> None:
    dtype = np.uint8 if white <= 255 else np.uint16
    levels = Levels(np.arange(white + 1, dtype=dtype)[None], white)
    exact = (np.arange(white + 1)[None] / white).astype(np.float32)
    np.testing.assert_array_equal(levels.pixels(), exact)
    np.testing.assert_array_equal(levels.eight_bits(), np.rint(exact * np.float32(255)))
    np.testing.assert_array_equal(levels.sixteen_bits(), np.rint(exact * np.float32(65535)))


def test_a_table_says_the_gray_of_each_value() -> None:
    table = np.array([1, 0.5, 0], dtype=np.float32)
    levels = Levels(np.array([[0, 1, 2, 1]], dtype=np.uint16), table=table)
    np.testing.assert_array_equal(levels.pixels(), [[1, 0.5, 0, 0.5]])
    np.testing.assert_array_equal(levels.eight_bits(), [[255, 128, 0, 128]])
    np.testing.assert_array_equal(levels.sixteen_bits(), [[65535, 32768, 0, 32768]])


def test_gray_is_found_in_equal_channels_alone() -> None:
    flat = np.arange(6, dtype=np.uint8).reshape(2, 3)
    gray = Levels(np.repeat(flat[..., None], 3, axis=-1), 255).gray()
    assert gray is not None
    np.testing.assert_array_equal(gray.values, flat)
    for channel in (1, 2):
        coloured = np.repeat(flat[..., None], 3, axis=-1)
        coloured[1, 2, channel] += 1
        assert Levels(coloured, 255).gray() is None


def test_luma_of_colour_is_that_of_its_pixels() -> None:
    coloured = np.random.default_rng(0).integers(0, 256, (97, 61, 3), dtype=np.uint8)
    picture = Picture(Levels(coloured, 255))
    np.testing.assert_array_equal(gray_of(picture), to_gray(picture.pixels))


@pytest.mark.parametrize("channels", ["gray", "rgb"])
@pytest.mark.parametrize("size", [24, 32, 40])
@pytest.mark.parametrize("mode", ["L", "RGB", "colour", "RGBA", "I;16", "1", "P"])
def test_stored_form_does_not_depend_on_the_way(
    tmp_path: Path, mode: str, size: int, channels: str
) -> None:
    path = tmp_path / "a.png"
    _image(mode).save(path)
    picture = read_image(path)
    assert picture.levels is not None
    slow = to_stored(Picture(picture.pixels), stored_size=size, channels=channels)  # type: ignore[arg-type]
    quick = to_stored(picture, stored_size=size, channels=channels)  # type: ignore[arg-type]
    assert quick.dtype == np.uint16
    np.testing.assert_array_equal(quick, slow)


def _image(mode: str) -> Image.Image:
    draw = np.random.default_rng(1)
    if mode == "I;16":
        return Image.fromarray(draw.integers(0, 65536, (32, 48), dtype=np.uint16))
    if mode == "colour":
        return Image.fromarray(draw.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    return Image.fromarray(draw.integers(0, 256, (32, 48), dtype=np.uint8)).convert(mode)
