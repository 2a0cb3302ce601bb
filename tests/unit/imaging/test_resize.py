"""Shapes, fits and the bicubic kernel, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.imaging.reader import Picture
from medistill.imaging.resize import Channels, Fit, render, resize, to_stored


def _picture(height: int, width: int, channels: int | None = None) -> Picture:
    shape = (height, width) if channels is None else (height, width, channels)
    return Picture(np.random.default_rng(0).random(shape).astype(np.float32))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(200, 300, (100, 150)), (300, 200, (150, 100)), (50, 50, (100, 100)), (100, 101, (100, 101))],
)
def test_short_side_is_the_stored_size_and_aspect_is_kept(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    stored = to_stored(_picture(height, width), stored_size=100, channels="gray")
    assert (stored.shape, stored.dtype) == (expected, np.uint16)


@pytest.mark.parametrize(
    ("channels", "planes", "shape"),
    [("gray", None, (8, 8)), ("gray", 3, (8, 8)), ("rgb", None, (8, 8, 3)), ("rgb", 3, (8, 8, 3))],
)
def test_channels_are_as_asked(
    channels: Channels, planes: int | None, shape: tuple[int, ...]
) -> None:
    assert to_stored(_picture(8, 8, planes), stored_size=8, channels=channels).shape == shape


def test_gray_picture_stored_as_rgb_is_repeated() -> None:
    stored = to_stored(_picture(9, 9), stored_size=6, channels="rgb")
    gray = to_stored(_picture(9, 9), stored_size=6, channels="gray")
    for channel in range(3):
        np.testing.assert_array_equal(stored[..., channel], gray)


def test_values_are_rounded_to_16_bits() -> None:
    picture = Picture(np.array([[0, 1], [0.5, 0.2]], dtype=np.float32))
    stored = to_stored(picture, stored_size=2, channels="gray")
    # 0.5 * 65535 = 32767.5 lies between two values and goes to the even one.
    np.testing.assert_array_equal(stored, [[0, 65535], [32768, 13107]])


def test_stored_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="stored_size"):
        to_stored(_picture(4, 4), stored_size=0, channels="gray")


def test_halving_is_antialiased_bicubic() -> None:
    """A line halved: Keys's kernel (1981, a = -1/2), stretched by 2, at 1/8, 3/8, 5/8, 7/8.

    W(t) at t = .25, .75, 1.25, 1.75 is .8671875, .2265625, -.0703125, -.0234375; their sum is 1,
    and each counts half, as there are two sides. A line of 0.4 above 0.25 at column 8 lies .25
    from the new column 4, .75 from 3, 1.25 from 5 and 1.75 from 2 (in new pixels).
    """
    pixels = np.full((16, 16), 0.25, dtype=np.float32)
    pixels[:, 8] = 0.65
    halved = resize(pixels, width=8, height=8)
    weights = np.array([0, 0, -0.0234375, 0.2265625, 0.8671875, -0.0703125, 0, 0]) / 2
    np.testing.assert_allclose(halved, np.tile(0.25 + 0.4 * weights, (8, 1)), atol=1e-6)


def test_overshoot_is_clipped() -> None:
    pixels = np.zeros((8, 8), dtype=np.float32)
    pixels[:, 4:] = 1
    enlarged = resize(pixels, width=32, height=32)
    assert enlarged.min() == 0
    assert enlarged.max() == 1


def test_same_size_is_untouched() -> None:
    pixels = _picture(5, 7).pixels
    assert resize(pixels, width=7, height=5) is pixels


def test_axes_are_not_swapped() -> None:
    assert resize(_picture(10, 20).pixels, width=6, height=4).shape == (4, 6)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("planes", "channels"), [(None, 1), (3, 3)])
@pytest.mark.parametrize(("height", "width"), [(20, 33), (33, 20), (16, 16), (7, 9)])
def test_render_is_a_square_in_zero_to_one(
    fit: Fit, planes: int | None, channels: int, height: int, width: int
) -> None:
    mode: Channels = "gray" if planes is None else "rgb"
    short = min(height, width)
    stored = to_stored(_picture(height, width, planes), stored_size=short, channels=mode)
    rendered = render(stored, size=16, fit=fit)
    assert (rendered.shape, rendered.dtype) == ((channels, 16, 16), np.float32)
    assert rendered.flags["C_CONTIGUOUS"]
    assert rendered.min() >= 0
    assert rendered.max() <= 1


def test_crop_keeps_the_middle() -> None:
    stored = np.repeat(np.arange(8, dtype=np.uint16)[None], 4, axis=0) * 257
    expected = np.tile(np.array([2, 3, 4, 5]) / 255, (4, 1))
    np.testing.assert_allclose(render(stored, size=4, fit="crop")[0], expected, atol=1e-7)


def test_pad_centres_on_black() -> None:
    stored = np.full((2, 4), 65535, dtype=np.uint16)
    expected = np.array([[0] * 4, [1] * 4, [1] * 4, [0] * 4])
    np.testing.assert_array_equal(render(stored, size=4, fit="pad")[0], expected)


def test_stretch_uses_the_whole_image() -> None:
    stored = np.zeros((4, 8), dtype=np.uint16)
    stored[:, 4:] = 65535
    rendered = render(stored, size=4, fit="stretch")[0]
    np.testing.assert_allclose(rendered[:, [0, 3]], np.tile([0, 1], (4, 1)), atol=0.05)


def test_channels_are_not_mixed() -> None:
    stored = np.zeros((6, 6, 3), dtype=np.uint16)
    stored[..., 1] = 65535
    rendered = render(stored, size=4, fit="stretch")
    np.testing.assert_array_equal(rendered.max(axis=(1, 2)), [0, 1, 0])
