"""TIFF forms beyond Pillow give the numbers of the same picture in a form that Pillow reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import DataError
from medistill.data.mask_sizes import picture_size
from medistill.imaging.masks import read_mask
from medistill.imaging.reader import read_image
from medistill.imaging.tiff import is_misread
from tests.unit.imaging.tiff_files import packed, tiff

RAMP = np.tile(np.arange(64, dtype=np.uint16) * 1024, (5, 1))
COLOUR = np.stack([RAMP, RAMP[:, ::-1], RAMP // 3])
FLOAT = np.linspace(0, 1, 35).reshape(5, 7)


def _shown(tmp_path: Path, content: bytes) -> NDArray[np.float32]:
    (tmp_path / "a.tif").write_bytes(content)
    return read_image(tmp_path / "a.tif").pixels


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_planes_of_16_bits_are_the_colour_that_is_stored_pixel_by_pixel(
    tmp_path: Path, rows: int, big: bool
) -> None:
    order = ">u2" if big else "<u2"
    elements = {"bits": 16, "photometric": 2, "samples": 3, "big": big, "rows": rows}
    planes = tiff(COLOUR.astype(order).reshape(15, -1), height=5, width=64, planar=2, **elements)
    by_pixel = np.ascontiguousarray(np.moveaxis(COLOUR, 0, -1)).astype(order).reshape(5, -1)
    expected = _shown(tmp_path, tiff(by_pixel, height=5, width=64, **elements))
    np.testing.assert_array_equal(_shown(tmp_path, planes), expected)
    np.testing.assert_array_equal(expected, np.float32(np.moveaxis(COLOUR, 0, -1) >> 8) / 255)


@pytest.mark.parametrize("bits", [10, 14])
@pytest.mark.parametrize("width", [64, 7])
def test_packed_depths_are_shares_of_their_white(tmp_path: Path, width: int, bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**bits, (5, width))
    shown = _shown(tmp_path, tiff(packed(values, bits), height=5, width=width, bits=bits))
    np.testing.assert_allclose(shown, values / (2**bits - 1), atol=1e-7)


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f8", ">f8"])
def test_floats_of_any_width_have_white_1(tmp_path: Path, dtype: str) -> None:
    data, big = FLOAT.astype(dtype), dtype[0] == ">"
    bits = 8 * data.dtype.itemsize
    shown = _shown(tmp_path, tiff(data, height=5, width=7, bits=bits, kind=3, big=big))
    np.testing.assert_array_equal(shown, data.astype(np.float32))
    with pytest.raises(DataError, match="beyond black 0 and white 1"):
        _shown(tmp_path, tiff(data * 2, height=5, width=7, bits=bits, kind=3, big=big))


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("<u2", 16)])
def test_one_plane_whose_zero_is_white_is_inverted(tmp_path: Path, dtype: str, bits: int) -> None:
    values = np.array([[0, 51, 255]]) * (257 if bits == 16 else 1)
    content = tiff(values.astype(dtype), height=1, width=3, bits=bits, photometric=0, planar=2)
    np.testing.assert_allclose(_shown(tmp_path, content), [[1, 0.8, 0]], atol=1e-7)


def test_what_pillow_reads_right_stays_with_pillow() -> None:
    planes = np.arange(45, dtype=np.uint8).reshape(9, 5)
    for content in (
        tiff(planes, height=3, width=5, bits=8, photometric=2, samples=3, planar=2),
        tiff(planes[:3], height=3, width=5, bits=8, planar=2),
        tiff(RAMP.astype("<u2"), height=5, width=64, bits=16),
    ):
        with Image.open(io.BytesIO(content)) as image:
            assert not is_misread(image)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"bits": 16, "samples": 4, "photometric": 5, "planar": 2}, "separate planes, 4 x 16-bit"),
        ({"bits": 64, "kind": 3, "compression": 5}, "compressed or tiled, 1 x 64-bit floats"),
        ({"bits": 64, "kind": 1}, "1 x 64-bit numbers"),
    ],
)
def test_other_forms_are_named(tmp_path: Path, elements: dict[str, Any], words: str) -> None:
    data = np.zeros((4, 64), np.uint8)
    with pytest.raises(DataError, match=rf"is TIFF \({words}.*which is not read.*Save it as"):
        _shown(tmp_path, tiff(data, height=1, width=8, **elements))


def test_short_or_giant_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"damaged or truncated \([\d,]+ of 5,600 bytes\)"):
        _shown(tmp_path, tiff(FLOAT.astype("<f8"), height=100, width=7, bits=64, kind=3))
    with pytest.raises(DataError, match="more than 64,000,000"):
        _shown(tmp_path, tiff(FLOAT.astype("<f8"), height=9000, width=9000, bits=64, kind=3))


@pytest.mark.parametrize("thumbnail_first", [False, True])
def test_thumbnail_is_not_a_second_picture(tmp_path: Path, thumbnail_first: bool) -> None:
    values = np.arange(48, dtype=np.uint8).reshape(6, 8)
    full, small = Image.fromarray(values), Image.fromarray(values[::2, ::2].copy())
    kinds = [1, 0] if thumbnail_first else [0, 1]
    first, second = (small, full) if thumbnail_first else (full, small)
    second.encoderinfo = {"tiffinfo": {254: kinds[1]}}
    path = tmp_path / "a.tif"
    first.save(path, save_all=True, append_images=[second], tiffinfo={254: kinds[0]})
    np.testing.assert_array_equal(read_image(path).pixels, np.float32(values) / 255)


# Where the letters of AB/CD/EF stand once they are upright (TIFF 6.0, Orientation).
TURNED = {
    1: ("AB", "CD", "EF"),
    2: ("BA", "DC", "FE"),
    3: ("FE", "DC", "BA"),
    4: ("EF", "CD", "AB"),
    5: ("ACE", "BDF"),
    6: ("ECA", "FDB"),
    7: ("FDB", "ECA"),
    8: ("BDF", "ACE"),
}
LETTERS = np.array([[0, 1], [2, 3], [4, 5]])
FORMS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "8 bits": (LETTERS.astype("u1"), {"bits": 8}),
    "16 bits": (LETTERS.astype("<u2"), {"bits": 16}),
    "16 bits, big-endian": (LETTERS.astype(">u2"), {"bits": 16, "big": True}),
    "32 bits": (LETTERS.astype("<u4"), {"bits": 32}),
    "10 bits": (packed(LETTERS, 10), {"bits": 10}),
    "half": ((LETTERS / 8).astype("<f2"), {"bits": 16, "kind": 3}),
    "float": ((LETTERS / 8).astype("<f4"), {"bits": 32, "kind": 3}),
    "double": ((LETTERS / 8).astype("<f8"), {"bits": 64, "kind": 3}),
    "plane": (LETTERS.astype("<u2"), {"bits": 16, "planar": 2}),
    "planes of 8 bits": (
        np.tile(LETTERS.astype("u1"), (3, 1)),
        {"bits": 8, "planar": 2, "samples": 3, "photometric": 2},
    ),
    "planes": (
        np.tile((LETTERS << 8).astype("<u2"), (3, 1)),
        {"bits": 16, "planar": 2, "samples": 3, "photometric": 2},
    ),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_turned_upright(tmp_path: Path, form: str, orientation: int) -> None:
    data, elements = FORMS[form]
    content = tiff(data, height=3, width=2, further={274: orientation}, **elements)
    shown = _shown(tmp_path, content)
    gray = shown if shown.ndim == 2 else shown[..., 0]
    step = gray.max() / 5
    letters = ["".join("ABCDEF"[round(float(value / step))] for value in row) for row in gray]
    assert tuple(letters) == TURNED[orientation]
    assert picture_size(tmp_path / "a.tif") == (len(letters[0]), len(letters))


def test_an_orientation_that_means_nothing_is_left_out(tmp_path: Path) -> None:
    content = tiff(FLOAT.astype("<f8"), height=5, width=7, bits=64, kind=3, further={274: 9})
    np.testing.assert_array_equal(_shown(tmp_path, content), FLOAT.astype(np.float32))


def _doubles(after: bytes, *, reduced: int = 0) -> bytes:
    return tiff(
        FLOAT.astype("<f8"), height=5, width=7, bits=64, kind=3, further={254: reduced}, after=after
    )


SMALL = tiff(np.full((2, 3), 77, "u1"), height=2, width=3, bits=8, further={254: 1})


def test_a_picture_that_pillow_does_not_know_is_found_behind_its_thumbnail(tmp_path: Path) -> None:
    np.testing.assert_array_equal(_shown(tmp_path, _doubles(SMALL)), FLOAT.astype(np.float32))
    assert picture_size(tmp_path / "a.tif") == (7, 5)


def test_a_thumbnail_that_pillow_does_not_know_is_passed_over(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    full = tiff(values, height=3, width=4, bits=8, after=_doubles(b"", reduced=1))
    np.testing.assert_array_equal(_shown(tmp_path, full), np.float32(values) / 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif", classes=12), values)


def test_two_pages_that_pillow_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 2 frames, one is expected"):
        _shown(tmp_path, _doubles(_doubles(b"")))
    with pytest.raises(DataError, match="holds 2 frames, one is expected"):
        read_mask(tmp_path / "a.tif")
    assert picture_size(tmp_path / "a.tif") is None


def test_a_thumbnail_whose_picture_lies_below_it_is_never_taken_for_it(tmp_path: Path) -> None:
    content = tiff(np.full((2, 3), 77, "u1"), height=2, width=3, bits=8, further={254: 1, 330: 8})
    with pytest.raises(DataError, match="first page is a thumbnail, and whose picture lies"):
        _shown(tmp_path, content)
    # Of a picture what lies below it is its thumbnail.
    content = tiff(np.full((2, 3), 77, "u1"), height=2, width=3, bits=8, further={330: 8})
    assert _shown(tmp_path, content).shape == (2, 3)


@pytest.mark.parametrize("thumbnail_first", [False, True])
def test_size_image_and_mask_are_of_the_same_page(tmp_path: Path, thumbnail_first: bool) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    after = SMALL if thumbnail_first else b""
    content = tiff(values, height=3, width=4, bits=8, further={274: 6}, after=after)
    if not thumbnail_first:
        content = tiff(
            np.full((2, 3), 77, "u1"), height=2, width=3, bits=8, further={254: 1}, after=content
        )
    shown = _shown(tmp_path, content)
    np.testing.assert_array_equal(shown, np.float32(np.rot90(values, -1)) / 255)
    assert picture_size(tmp_path / "a.tif") == (3, 4)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif", classes=12), np.rot90(values, -1))


@pytest.mark.parametrize(
    ("data", "elements"),
    [
        (np.array([[0, 1, 2]], "u1"), {"bits": 8}),
        (np.array([[255, 254, 253]], "u1"), {"bits": 8, "photometric": 0}),
        (np.array([[0, 1, 2]], "<u2"), {"bits": 16}),
        (np.array([[0, 1, 2]], "<f8"), {"bits": 64, "kind": 3}),
        (packed(np.array([[0, 1, 2]]), 4), {"bits": 4}),
    ],
)
def test_masks_in_one_plane_are_read(
    tmp_path: Path, data: NDArray[Any], elements: dict[str, Any]
) -> None:
    content = tiff(data, height=1, width=3, planar=2, **elements)
    (tmp_path / "a.tif").write_bytes(content)
    mask = read_mask(tmp_path / "a.tif", classes=3)
    np.testing.assert_array_equal(mask, [[0, 1, 2]])
    assert mask.dtype == np.uint8


def test_masks_in_planes_of_colour_are_refused(tmp_path: Path) -> None:
    data, elements = FORMS["planes"]
    (tmp_path / "a.tif").write_bytes(tiff(data, height=3, width=2, **elements))
    with pytest.raises(DataError, match="separate planes of colour, gray is expected of a mask"):
        read_mask(tmp_path / "a.tif")


@pytest.mark.parametrize("low", [-128, -1, 0])
def test_signed_values_of_eight_bits_below_black_are_refused(tmp_path: Path, low: int) -> None:
    values = np.array([[low, 3], [100, 127]], dtype=np.int8)
    (tmp_path / "a.tif").write_bytes(tiff(values, height=2, width=2, bits=8, kind=2))
    if low < 0:
        with pytest.raises(DataError, match=f"holds values from {low} to 127, beyond black 0"):
            read_image(tmp_path / "a.tif")
    else:
        np.testing.assert_allclose(read_image(tmp_path / "a.tif").pixels, values / 255, atol=1e-7)
