"""Rows of letters are text; bone, noise and blocks are not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from medistill.check.lettering import FEWEST, letters
from tests.unit.data.pictures import smooth_picture


def _gray(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def _signs(gray: np.ndarray) -> int:
    return letters(gray[None])[0]


@pytest.mark.parametrize("size", [14, 20, 32])
@pytest.mark.parametrize("place", [(8, 8), (200, 460)])
def test_text_is_found(size: int, place: tuple[int, int]) -> None:
    image = smooth_picture(0, 512).point([value // 2 for value in range(256)])
    ImageDraw.Draw(image).text(place, "HOSPITAL 42", fill=255, font_size=size)
    assert _signs(_gray(image)) >= FEWEST


@pytest.mark.parametrize("seed", range(8))
def test_soft_pictures_have_none(seed: int) -> None:
    assert _signs(_gray(smooth_picture(seed, 512))) == 0


def test_noise_blocks_and_white_have_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
    assert _signs(noise) == 0
    blocks = np.zeros((256, 256), dtype=np.uint8)
    for column in range(20, 200, 16):
        blocks[100:110, column : column + 10] = 255
    assert _signs(blocks) == 0
    assert _signs(np.full((64, 64), 255, dtype=np.uint8)) == 0


def test_each_picture_of_several_has_its_own() -> None:
    plain = smooth_picture(0, 512).point([value // 2 for value in range(256)])
    written = plain.copy()
    ImageDraw.Draw(written).text((200, 460), "HOSPITAL 42", fill=255, font_size=24)
    both = np.stack([_gray(plain), _gray(written), _gray(plain)])
    assert letters(both) == [0, _signs(_gray(written)), 0]
