"""Facts of the small picture, by hand and against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medistill.check.reduction import (
    SIDE,
    canonical,
    eight_bit_gray,
    looks_of,
    small_picture,
    small_pictures,
)
from medistill.imaging.levels import Levels
from medistill.imaging.picture import Picture

DRAW = np.random.default_rng(0)


def test_looks_are_numpys() -> None:
    small = DRAW.integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)
    looks, gray = looks_of(small), small / 255
    low, high = np.percentile(gray[:, ::2, ::2], (1, 99), axis=(1, 2))
    bands = np.stack([gray[:, 0], gray[:, -1], gray[:, :, 0], gray[:, :, -1]], axis=1)
    corners = [gray[:, r, c].mean((1, 2)) for r in (slice(6), slice(-6, None)) for c in _ENDS]
    for found, expected in (
        (looks.low, low),
        (looks.high, high),
        (looks.mean, gray.mean((1, 2))),
        (looks.corners, np.stack(corners, axis=1)),
        (looks.edges[:, :4], bands.mean(2)),
        (looks.edges[:, 4:], bands.std(2)),
    ):
        np.testing.assert_allclose(found, expected, atol=6e-5)
    boxes = small.reshape(5, 16, 4, 16, 4).mean((2, 4)).reshape(5, -1)
    np.testing.assert_allclose(looks.thumbs, boxes, atol=0.51)
    halves = small.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)).reshape(len(small), -1)
    np.testing.assert_allclose(looks.looks, halves, atol=0.51)


_ENDS = (slice(6), slice(-6, None))


@pytest.mark.parametrize("shape", [(128, 192), (200, 130), (40, 64), (1000, 700)])
def test_small_picture_is_the_mean_of_boxes(shape: tuple[int, int]) -> None:
    down, across = np.linspace(0, 100, shape[0]), np.linspace(0, 155, shape[1])
    gray = np.rint(down[:, None] + across).astype(np.uint8)
    small = small_picture(gray)
    assert small.shape == (SIDE, SIDE)
    # The ramp at the middle of each box, in pixels; a box narrower than a pixel repeats it.
    rows, columns = ((np.arange(SIDE) + 0.5) / SIDE * length - 0.5 for length in shape)
    expected = rows[:, None] * 100 / (shape[0] - 1) + columns * 155 / (shape[1] - 1)
    np.testing.assert_allclose(small, expected, atol=2)


def test_eight_bits_of_every_source() -> None:
    eight = DRAW.integers(0, 256, (9, 7), dtype=np.uint8)
    wide = eight.astype(np.uint16) * 257
    colour = DRAW.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    for source, expected in (
        (Levels(eight, 255), eight),
        (Levels(np.repeat(eight[..., None], 3, axis=-1), 255), eight),
        (Levels(wide, 65535), eight),
        (Levels(eight, table=(np.arange(256) / 255).astype(np.float32)), eight),
        ((eight / 255).astype(np.float32), eight),
    ):
        np.testing.assert_array_equal(eight_bit_gray(Picture(source)), expected)
    for source in (Levels(colour, 255), (colour / 255).astype(np.float32)):
        np.testing.assert_allclose(eight_bit_gray(Picture(source)), luma, atol=0.51)


def test_canonical_form_does_not_tell_how_a_picture_was_saved() -> None:
    eight = DRAW.integers(0, 256, (9, 7), dtype=np.uint8)
    wide = eight.astype(np.uint16) * 257
    for source in (
        Levels(eight, 255),
        Levels(np.repeat(eight[..., None], 3, axis=-1), 255),
        Levels(wide, 65535),
        (eight / 255).astype(np.float32),
    ):
        found = canonical(Picture(source))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, eight)


def test_canonical_form_keeps_what_eight_bits_cannot_hold() -> None:
    wide = np.arange(63, dtype=np.uint16).reshape(9, 7) * 257
    wide[8, 6] += 1
    np.testing.assert_array_equal(canonical(Picture(Levels(wide, 65535))), wide)
    colour = DRAW.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(canonical(Picture(Levels(colour, 255))), colour)


@pytest.mark.parametrize("shape", [(64, 64), (128, 192), (448, 320), (1024, 1088), (64, 2048)])
def test_boxes_are_rounded_as_pillow_does(shape: tuple[int, int]) -> None:
    noise = DRAW.integers(0, 256, (2, *shape), dtype=np.uint8)
    factors = (shape[1] // SIDE, shape[0] // SIDE)
    for grays in (noise, np.where(noise > 127, np.uint8(255), np.uint8(0))):
        expected = [np.asarray(Image.fromarray(gray).reduce(factors)) for gray in grays]
        np.testing.assert_array_equal(small_pictures(grays), np.stack(expected))


@pytest.mark.parametrize("shape", [(128, 128), (200, 130), (128, 192)])
def test_many_small_pictures_are_those_of_one_at_a_time(shape: tuple[int, int]) -> None:
    grays = DRAW.integers(0, 256, (5, *shape), dtype=np.uint8)
    for gray, small in zip(grays, small_pictures(grays), strict=True):
        np.testing.assert_array_equal(small, small_picture(gray))
