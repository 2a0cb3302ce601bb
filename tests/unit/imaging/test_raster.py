"""Every mode of one picture reads as the same numbers; every bad raster file is one clear error."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import DataError
from medistill.imaging import picture
from medistill.imaging.reader import decode_image, read_image

VALUES = np.arange(256, dtype=np.uint8).reshape(8, 32)
EXPECTED = (VALUES / 255).astype(np.float32)


def test_gray_values_are_shares_of_the_declared_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 51, 255]], dtype=np.uint8)).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png").pixels
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, np.array([[0, 0.2, 1]], dtype=np.float32))


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_lossless_formats_keep_every_value(tmp_path: Path, mode: str, suffix: str) -> None:
    Image.fromarray(VALUES).convert(mode).save(tmp_path / f"a.{suffix}")
    pixels = read_image(tmp_path / f"a.{suffix}").pixels
    expected = EXPECTED if mode == "L" else np.repeat(EXPECTED[..., None], 3, axis=-1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_divided_by_65535_whatever_the_image_holds(
    tmp_path: Path, suffix: str
) -> None:
    # The largest value is 20 * 257: scaling by the image's own maximum would give 1 there.
    dark = (np.arange(20, dtype=np.uint16) + 1)[None] * 257
    Image.fromarray(dark).save(tmp_path / f"a.{suffix}")
    picture = read_image(tmp_path / f"a.{suffix}")
    expected = ((np.arange(20) + 1)[None] / 255).astype(np.float32)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert "16-bit, white 65535" in picture.history


def test_big_endian_tiff_reads_like_little_endian(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff16(np.array([[0, 13107, 65535]]), big=True))
    pixels = read_image(tmp_path / "a.tif").pixels
    np.testing.assert_array_equal(pixels, np.array([[0, 0.2, 1]], dtype=np.float32))


def test_sixteen_bit_tiff_whose_zero_is_white_is_inverted(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff16(np.array([[0, 13107, 65535]]), white_is_zero=True))
    pixels = read_image(tmp_path / "a.tif").pixels
    np.testing.assert_allclose(pixels, [[1, 0.8, 0]], atol=1e-7)


def test_twelve_bit_tiff_has_white_4095(tmp_path: Path) -> None:
    # Two 12-bit samples, 0xFFF and 0x333, packed into three bytes.
    (tmp_path / "a.tif").write_bytes(_tiff(bytes([0xFF, 0xF3, 0x33]), width=2, bits=12))
    np.testing.assert_allclose(read_image(tmp_path / "a.tif").pixels, [[1, 0.2]], atol=1e-7)


def test_float_tiff_in_zero_to_one_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0.25, 1]], dtype=np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, [[0, 0.25, 1]])


@pytest.mark.parametrize(
    "values",
    [
        np.array([[-1000, 400]], dtype=np.int32),
        np.array([[0, 70000]], dtype=np.int32),
        np.array([[0.0, 2.0]], dtype=np.float32),
        np.array([[0.0, np.nan]], dtype=np.float32),
    ],
)
def test_values_without_a_declared_white_are_refused(
    tmp_path: Path, values: NDArray[np.generic]
) -> None:
    Image.fromarray(values).save(tmp_path / "hounsfield.tif")
    with pytest.raises(DataError, match=r"hounsfield\.tif: .*beyond black 0 and white"):
        read_image(tmp_path / "hounsfield.tif")


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, [[0, 1]])


def test_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 51, 255])
    image.save(tmp_path / "a.png")
    expected = np.array([[[1, 0, 0], [0, 0.2, 1]]], dtype=np.float32)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, expected)


def test_alpha_is_composited_on_black(tmp_path: Path) -> None:
    rgba = np.array([[[255, 0, 51, 255], [255, 255, 255, 51], [9, 9, 9, 0]]], dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    expected = [[[1, 0, 0.2], [0.2, 0.2, 0.2], [0, 0, 0]]]
    np.testing.assert_allclose(picture.pixels, expected, atol=1e-7)
    assert "alpha on black" in picture.history


def test_gray_with_alpha_is_composited_on_black(tmp_path: Path) -> None:
    layers = np.array([[[255, 51], [51, 255]]], dtype=np.uint8)
    Image.fromarray(layers).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_image(tmp_path / "a.png").pixels[..., 0], [[0.2, 0.2]])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to show it upright
    Image.fromarray(np.array([[0, 51, 255]], dtype=np.uint8)).save(tmp_path / "a.png", exif=exif)
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.pixels, np.array([[0], [0.2], [1]], dtype=np.float32))
    assert "EXIF orientation 6" in picture.history


def test_stream_reads_like_a_file(tmp_path: Path) -> None:
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    stream = io.BytesIO((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(decode_image(stream, where="upload").pixels, EXPECTED)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.png: there is no such file\. Replace"):
        read_image(tmp_path / "absent.png")


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        read_image(tmp_path)


def test_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(DataError, match="is not a PNG, JPEG, TIFF or BMP image"):
        read_image(tmp_path / "a.png")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="is empty"):
        read_image(tmp_path / "a.png")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    Image.fromarray(VALUES).save(tmp_path / "a.gif")
    with pytest.raises(DataError, match="is not a PNG, JPEG, TIFF or BMP image"):
        read_image(tmp_path / "a.gif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"a\.\w+: (is damaged or truncated|is not a PNG)"):
        read_image(path)


@pytest.mark.parametrize("position", [20, 60, 200])
def test_damaged_png_never_raises_anything_else(tmp_path: Path, position: int) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(VALUES).save(path)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError):
        read_image(path)


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    # The directory's first entry, ImageWidth (256), becomes one that nothing needs.
    Image.new("L", (8, 8)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content.replace(b"\0\1\4\0", b"\0\0\4\0", 1))
    with pytest.raises(DataError, match="it has no entry 256"):
        read_image(tmp_path / "a.tif")


def test_several_frames_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(VALUES)
    image.save(tmp_path / "a.tif", save_all=True, append_images=[image, image])
    with pytest.raises(DataError, match="holds 3 frames, one is expected"):
        read_image(tmp_path / "a.tif")


def test_too_many_pixels_are_refused_by_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    monkeypatch.setattr(picture, "MAX_PIXELS", 255)
    with pytest.raises(DataError, match="has 32 x 8 pixels, more than 255"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("limit", [10, 200])
def test_decompression_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    # Pillow warns above its limit (turned into an error here) and raises above twice of it.
    Image.fromarray(VALUES).save(tmp_path / "a.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match="pixels"):
            read_image(tmp_path / "a.bmp")


def test_needle_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 33), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="is 33 x 1 pixels: sides beyond 1:32"):
        read_image(tmp_path / "a.png")


def test_pixels_cannot_be_changed(tmp_path: Path) -> None:
    Image.fromarray(VALUES).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="read-only"):
        read_image(tmp_path / "a.png").pixels[0, 0] = 1


def _tiff16(values: NDArray[np.int_], *, big: bool = False, white_is_zero: bool = False) -> bytes:
    data = values.astype(">u2" if big else "<u2").tobytes()
    photometric = 0 if white_is_zero else 1
    return _tiff(data, width=values.shape[1], bits=16, big=big, photometric=photometric)


def _tiff(data: bytes, *, width: int, bits: int, big: bool = False, photometric: int = 1) -> bytes:
    """A TIFF file of one row and one strip, written by hand (TIFF 6.0, section 2)."""
    order = "big" if big else "little"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric, 277: 1, 278: 1, 279: len(data)}
    tags[273] = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = (
        number(tag, 2) + number(4, 2) + number(1, 4) + number(tags[tag], 4) for tag in sorted(tags)
    )
    head = (b"MM" if big else b"II") + number(42, 2) + number(8, 4)
    return head + number(len(tags), 2) + b"".join(entries) + number(0, 4) + data
