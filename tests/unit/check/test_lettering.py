"""Rows of letters are text; bone, noise and blocks are not."""

from __future__ import annotations

import io
from itertools import cycle, product

import numpy as np
import pytest
from PIL import Image, ImageDraw

from medistill.check.lettering import FEWEST, _dense, letters
from tests.unit.check.written import INKS, PLACES, Line, ground
from tests.unit.data.pictures import smooth_picture

_WORDS = ("MUELLER HANS 12.03.1956", "Hospital 42", "L 1234567")


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


def _lines(side: int) -> list[Line]:
    """Every size on every ground in every ink; words and places by turns."""
    inks = [(name, ink) for name, held in INKS.items() for ink in held]
    turns = zip(product((8, 12, 24, 40, 60), inks), cycle(_WORDS), cycle(PLACES), strict=False)
    # Sixty pixels of a font are too many for the longest words in the smallest picture.
    return [
        Line(words if size * len(words) < 1.6 * side else _WORDS[2], size, ink, name, place)
        for (size, (name, ink)), words, place in turns
    ]


@pytest.mark.parametrize("side", [512, 1024, 2500])
def test_names_and_dates_of_every_size_ink_ground_and_place_are_found(side: int) -> None:
    lines = _lines(side)
    found = [line for line in lines if _signs(line.written(side)) >= FEWEST]
    assert len(lines) == 35
    assert found == lines


@pytest.mark.parametrize("line", _lines(512)[7::3])
def test_text_is_found_in_jpeg(line: Line) -> None:
    stream = io.BytesIO()
    Image.fromarray(line.written(512)).save(stream, "JPEG", quality=75)
    assert _signs(np.asarray(Image.open(stream))) >= FEWEST


@pytest.mark.parametrize("name", INKS)
@pytest.mark.parametrize("side", [8, 96, 512, 1001])
def test_a_ground_without_text_has_none(name: str, side: int) -> None:
    assert _signs(ground(name, side)) == 0


def test_three_signs_are_no_text() -> None:
    assert _signs(Line("R 12", 24, 255, "air", "top left").written(512)) == 0
    assert _signs(Line("R 123", 24, 255, "air", "top left").written(512)) == FEWEST


def test_signs_of_different_gray_are_no_row() -> None:
    image = Image.new("L", (512, 512), 8)
    for column, gray in enumerate((255, 80, 255, 80, 255, 80)):
        ImageDraw.Draw(image).text((40 + 20 * column, 40), "8", fill=gray, font_size=24)
    assert _signs(_gray(image)) == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", [96, 256, 512])
def test_noise_and_speckle_have_none(side: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    uniform = draw.integers(0, 256, (side, side), dtype=np.uint8)
    wave = [
        np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BICUBIC))
        for part in draw.standard_normal((2, side // 2, side // 2)).astype(np.float32)
    ]
    speckle = np.clip(80 * np.hypot(*wave), 0, 255).astype(np.uint8)
    assert letters(np.stack([uniform, speckle])) == [0, 0]


def test_edges_are_dense_with_those_of_both_neighbours() -> None:
    edges = np.zeros((2, 1, 6), dtype=np.uint8)
    edges[0, 0, [1, 3]] = 4
    edges[1, 0, [0, 3]] = 4
    np.testing.assert_array_equal(np.argwhere(_dense(edges)), [[0, 0, 2]])
