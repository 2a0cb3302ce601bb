from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from medistill.report.pictures import Picture


def decoded(picture: Picture) -> Image.Image:
    start, data = picture.source.split(",")
    assert start == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_gray_float_keeps_its_values():
    image = decoded(Picture(pixels=np.array([[0.0, 0.5], [1.0, 2.0]]), caption="x"))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), [[0, 128], [255, 255]])


def test_colour_bytes_are_kept():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(np.asarray(decoded(Picture(pixels=pixels, caption=""))), pixels)


@pytest.mark.parametrize("shape", [(600, 300), (300, 600)])
def test_large_pictures_shrink_with_their_aspect(shape):
    image = decoded(Picture(pixels=np.zeros(shape), caption=""))
    assert sorted(image.size) == [128, 256]


def test_nan_is_black():
    assert np.asarray(decoded(Picture(pixels=np.full((2, 2), np.nan), caption=""))).max() == 0
