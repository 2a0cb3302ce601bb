"""Luma by hand, and one picture in every mode becoming the same stored gray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.imaging.gray import to_gray
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored


def test_luma_weights_are_those_of_bt_601() -> None:
    colours = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0.5, 0]]], dtype=np.float32)
    # The last: 0.299 + 0.587 / 2.
    np.testing.assert_allclose(to_gray(colours), [[0.299, 0.587, 0.114, 0.5925]], atol=1e-7)


def test_gray_is_untouched() -> None:
    gray = np.array([[0.1, 0.7]], dtype=np.float32)
    assert to_gray(gray) is gray


def test_gray_as_rgb_is_the_same_gray_to_the_last_bit() -> None:
    gray = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    np.testing.assert_array_equal(to_gray(np.repeat(gray[..., None], 3, axis=-1)), gray)


def _palette(gray: Image.Image) -> Image.Image:
    image = gray.convert("P")
    image.putpalette([value for level in range(256) for value in (level, level, level)])
    return image


def _shuffled_palette(gray: Image.Image) -> Image.Image:
    """Index i means gray 255 - i, so that a reader that takes indices for gray is caught."""
    image = Image.fromarray(255 - np.asarray(gray)).convert("P")
    image.putpalette([255 - value for level in range(256) for value in (level, level, level)])
    return image


def _sixteen_bits(gray: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)


MODES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "gray": lambda gray: gray,
    "gray and alpha": lambda gray: gray.convert("LA"),
    "RGB": lambda gray: gray.convert("RGB"),
    "RGBA": lambda gray: gray.convert("RGBA"),
    "palette": _palette,
    "shuffled palette": _shuffled_palette,
    "16-bit": _sixteen_bits,
}


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", MODES)
def test_one_picture_in_every_mode_is_the_same_stored_gray(
    tmp_path: Path, mode: str, suffix: str
) -> None:
    values = np.random.default_rng(1).integers(0, 256, (60, 45), dtype=np.uint8)
    values.ravel()[:256] = np.arange(256)
    gray = Image.fromarray(values)
    gray.save(tmp_path / "gray.png")
    MODES[mode](gray).save(tmp_path / f"other.{suffix}")
    stored, other = (
        to_stored(read_image(tmp_path / name), stored_size=24, channels="gray")
        for name in ("gray.png", f"other.{suffix}")
    )
    np.testing.assert_array_equal(other, stored)


def test_unscaled_stored_gray_is_257_times_the_8_bit_value(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "a.png")
    stored = to_stored(read_image(tmp_path / "a.png"), stored_size=16, channels="gray")
    np.testing.assert_array_equal(stored, values.astype(np.uint16) * 257)
