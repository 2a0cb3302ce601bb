from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from medistill.data.rendition import View, render_view
from medistill.data.views import ViewPolicy, draw_view
from medistill.imaging.preprocessing import Fit
from medistill.imaging.resize import render

Image = NDArray[np.uint16]


def stored_of(pixels: NDArray[np.floating]) -> Image:
    return np.rint(np.asarray(pixels) * 65535).astype(np.uint16)


def noise_image(height: int, width: int, *more: int) -> Image:
    return np.random.default_rng(0).integers(0, 65536, (height, width, *more), dtype=np.uint16)


def smooth_image(height: int, width: int) -> Image:
    y, x = np.mgrid[0:height, 0:width]
    return stored_of(0.5 + 0.25 * np.sin(x / 17) + 0.2 * np.cos((x + 2 * y) / 23))


def halved(image: NDArray[np.float32]) -> NDArray[np.float32]:
    channels, side = image.shape[0], image.shape[1] // 2
    return image.reshape(channels, side, 2, side, 2).mean(axis=(2, 4))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("stored", [noise_image(30, 41), noise_image(41, 30, 3)], ids=["l", "rgb"])
def test_view_0_is_the_rendering_of_prediction_bit_for_bit(stored: Image, fit: Fit) -> None:
    shown = render_view(stored, View(number=0), size=24, fit=fit)
    np.testing.assert_array_equal(shown, render(stored, size=24, fit=fit))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_view_that_changes_nothing_shows_what_view_0_shows(fit: Fit) -> None:
    stored = smooth_image(40, 80)
    shown = render_view(stored, View(number=1), size=20, fit=fit)
    # Mean, because at a padded edge one resize meets black and the other the image's end.
    assert np.abs(shown - render(stored, size=20, fit=fit)).mean() < 0.015


@pytest.mark.parametrize("size", [24, 40, 64])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_every_view_is_float32_in_the_unit_range(size: int, fit: Fit) -> None:
    policy = ViewPolicy(shear_degrees=10, noise=0.3, blur=0.02, erase=0.5, fit=fit)
    for stored, channels in ((noise_image(40, 52), 1), (noise_image(52, 40, 3), 3)):
        for number in range(1, 9):
            view = draw_view(policy, content_hash="q", view=number)
            shown = render_view(stored, view, size=size, fit=fit)
            assert shown.shape == (channels, size, size)
            assert shown.dtype == np.float32
            assert shown.flags.c_contiguous
            assert shown.min() >= 0
            assert shown.max() <= 1


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_right_angles_only_move_pixels(quarter_turns: int) -> None:
    stored = noise_image(32, 32)
    view = View(number=1, rotation=quarter_turns * math.pi / 2)
    shown = render_view(stored, view, size=32, fit="stretch")
    np.testing.assert_allclose(shown[0], np.rot90(stored / 65535, quarter_turns), atol=1e-4)


def test_a_flip_mirrors_left_and_right() -> None:
    stored = noise_image(32, 32)
    shown = render_view(stored, View(number=1, flip=True), size=32, fit="stretch")
    np.testing.assert_allclose(shown[0], stored[:, ::-1] / 65535, atol=1e-6)


def test_a_shear_shifts_rows_in_proportion_to_their_height() -> None:
    pixels = np.zeros((65, 65))
    pixels[:, 32] = 1.0
    shown = render_view(stored_of(pixels), View(number=1, shear=0.5), size=65, fit="stretch")[0]
    peaks = shown.argmax(axis=1)
    # A row h above the middle shows what lies h / 2 to its left, so the line leans to the right.
    np.testing.assert_array_equal(peaks[[12, 22, 32, 42, 52]], [42, 37, 32, 27, 22])


@pytest.mark.parametrize("rotation", [0.0, 1e-9], ids=["resized", "transformed"])
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_the_crop_is_where_the_view_says(rotation: float, fit: Fit) -> None:
    pixels = np.zeros((100, 200))
    pixels[:50, :100] = 1.0
    # Stretch: the left upper quarter, all white. Crop: of the middle square (columns 50 to 150)
    # the left upper quarter is columns 50 to 100, white too.
    view = View(number=1, extent=(0.5, 0.5), centre=(0.25, 0.25), rotation=rotation)
    shown = render_view(stored_of(pixels), view, size=20, fit=fit)[0]
    assert shown[:18, :18].min() > 0.999
    whole = render_view(stored_of(pixels), View(number=1), size=20, fit=fit)[0]
    assert whole.mean() == pytest.approx(0.25, abs=0.01)


def test_padding_is_black_and_keeps_the_aspect() -> None:
    view = View(number=1, rotation=1e-9)
    shown = render_view(stored_of(np.ones((20, 40))), view, size=40, fit="pad")[0]
    assert shown[:9].max() < 0.01
    assert shown[31:].max() < 0.01
    assert shown[11:29].min() > 0.99


def test_what_comes_from_outside_is_black() -> None:
    view = View(number=1, rotation=math.radians(45))
    shown = render_view(stored_of(np.ones((40, 40))), view, size=40, fit="stretch")[0]
    assert [shown[0, 0], shown[0, -1], shown[-1, 0], shown[-1, -1]] == [0, 0, 0, 0]
    assert shown[20, 20] == 1


@pytest.mark.parametrize("rotation", [0.0, 0.2])
def test_fine_detail_is_averaged_when_the_image_shrinks(rotation: float) -> None:
    y, x = np.mgrid[0:240, 0:240]
    view = View(number=1, rotation=rotation, extent=(0.7, 0.7))
    shown = render_view(stored_of((x + y) % 2), view, size=48, fit="stretch")[0]
    assert np.abs(shown - 0.5).max() < 0.03


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_two_sizes_show_the_same_geometry_and_photometry(fit: Fit) -> None:
    stored = smooth_image(190, 256)
    policy = ViewPolicy(shear_degrees=10, blur=0.02, rotate_degrees=30)
    for number in range(1, 7):
        view = draw_view(policy, content_hash="q", view=number)
        small = render_view(stored, view, size=64, fit=fit)
        large = render_view(stored, view, size=128, fit=fit)
        # A shift of one small pixel would make this 0.03; black edges leave 0.007.
        assert np.abs(halved(large) - small).mean() < 0.01


def test_brightness_then_contrast_then_gamma() -> None:
    stored = stored_of(np.full((16, 16), 0.25))
    view = View(number=1, brightness=1.2, contrast=0.5, gamma=2.0)
    # .25 * 1.2 = .3; .5 + .5 * (.3 - .5) = .4; .4 ** 2 = .16
    np.testing.assert_allclose(render_view(stored, view, size=8, fit="stretch"), 0.16, atol=1e-5)


def test_tones_beyond_the_range_are_clipped_before_gamma() -> None:
    stored = stored_of(np.array([[0.0, 1.0]] * 2))
    view = View(number=1, brightness=1.5, contrast=1.5, gamma=0.5)
    np.testing.assert_allclose(render_view(stored, view, size=2, fit="stretch")[0], [[0, 1]] * 2)


def test_noise_has_the_deviation_asked_for_and_is_one_field_at_every_size() -> None:
    stored = stored_of(np.full((16, 16), 0.5))
    view = View(number=1, key=99, noise=0.1)
    fields = {s: render_view(stored, view, size=s, fit="stretch") - 0.5 for s in (64, 128, 256)}
    assert fields[128].std() == pytest.approx(0.1, rel=0.03)
    assert fields[128].mean() == pytest.approx(0, abs=0.003)
    for small, large in ((64, 128), (128, 256)):
        pair = np.corrcoef(fields[small].ravel(), halved(fields[large]).ravel())
        assert pair[0, 1] > 0.9
    other = render_view(stored, View(number=1, key=98, noise=0.1), size=128, fit="stretch") - 0.5
    assert abs(np.corrcoef(fields[128].ravel(), other.ravel())[0, 1]) < 0.05


def test_blur_spreads_a_point_to_the_deviation_asked_for() -> None:
    pixels = np.zeros((63, 63))
    pixels[31, 31] = 1.0
    shown = render_view(stored_of(pixels), View(number=1, blur=3 / 63), size=63, fit="stretch")[0]
    assert shown.sum() == pytest.approx(1, abs=1e-4)
    offsets = np.arange(63) - 31
    for weights in (shown.sum(axis=0), shown.sum(axis=1)):
        assert math.sqrt((weights * offsets**2).sum()) == pytest.approx(3, rel=0.02)


def test_an_erased_box_covers_the_same_part_at_every_size() -> None:
    stored = stored_of(np.ones((30, 30)))
    view = View(number=1, erase=(0.25, 0.5, 0.75, 1.0, 0.5))
    for size in (16, 32):
        shown = render_view(stored, view, size=size, fit="stretch")[0]
        expected = np.ones((size, size))
        expected[size // 2 :, size // 4 : 3 * size // 4] = 0.5
        np.testing.assert_array_equal(shown, expected)
